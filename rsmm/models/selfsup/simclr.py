"""SimCLR at any band count, with a loss that does not depend on the number of processes."""

from __future__ import annotations

from collections.abc import Sequence

from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.losses.functional import nt_xent
from rsmm.models.losses.functional.pairs import check_temperature
from rsmm.registry import MODELS


@MODELS.register_module()
class SimCLR(BaseSelfSupervisor):
    """Contrast two views of each image against the other images of the batch.

    mmpretrain's class divides the gradient by the number of processes; this one trains the same on
    any number.

    Args:
        backbone: Config of a backbone that returns a tuple of feature maps.
        neck: Config of the projector, e.g. ``mmpretrain.NonLinearNeck``.
        temperature: Divisor of the similarities.
        data_preprocessor: Config or module.
        init_cfg: Initialisation.

    Raises:
        ConfigError: A temperature that is not above 0.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        *,
        temperature: float = 0.2,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        check_temperature(temperature, type(self).__name__)
        if not isinstance(data_preprocessor, nn.Module):
            preprocessor = data_preprocessor or dict(type='MultiSpectralPreprocessor')
            data_preprocessor = MODELS.build(preprocessor)
        super().__init__(
            backbone=MODELS.build(backbone),
            neck=MODELS.build(neck),
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.temperature = temperature

    def loss(self, inputs: Sequence[Tensor], data_samples=None, **kwargs) -> dict[str, Tensor]:
        """Loss of a batch of two views ``(N, C, H, W)`` each.

        Raises:
            ConfigError: Another number of views.
        """
        if isinstance(inputs, Tensor) or len(inputs) != 2:
            found = 1 if isinstance(inputs, Tensor) else len(inputs)
            raise ConfigError(
                f'SimCLR compares 2 views per sample, found {found}',
                fix="Use dict(type='MultiView', num_views=2, ...) in the pipeline",
            )
        first, second = (self.neck(self.backbone(view))[0] for view in inputs)
        return dict(loss=nt_xent(first.float(), second.float(), self.temperature).mean())
