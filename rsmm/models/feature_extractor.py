"""A bare backbone that ``tools/test.py`` can run."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModel
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.registry import MODELS


@MODELS.register_module()
class FeatureExtractor(BaseModel):
    """Run a pretrained backbone over images, for hooks that watch it.

    Checkpoints of any method fit whose backbone does; its other parts are not used.

    Args:
        backbone: Config of a backbone.
        data_preprocessor: Config of the preprocessor.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)

    def forward(self, inputs: Tensor, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Features of images ``(N, C, H, W)``; in mode ``'predict'`` the samples as they are.

        Raises:
            ConfigError: The mode is ``'loss'``: nothing is trained here.
        """
        if mode == 'loss':
            raise ConfigError('has no loss to train', where='FeatureExtractor')
        features = self.backbone(inputs)
        return features if mode == 'tensor' else list(data_samples)
