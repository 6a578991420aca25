"""Several change detectors in one model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import ModuleList

from rsmm.errors import ConfigError
from rsmm.models.base import ScopedModel
from rsmm.models.change_detectors.change_detector import ChangeDetector
from rsmm.models.layers.symmetry import VIEWS, symmetry, undo_symmetry
from rsmm.registry import MODELS


@MODELS.register_module()
class ChangeEnsemble(ScopedModel):
    """Detectors trained side by side from different weights, whose probabilities are averaged.

    Networks trained on few pairs differ most in their false alarms, which the mean dampens
    (Lakshminarayanan et al., *Deep Ensembles*, NeurIPS 2017).

    Args:
        members: Configs of two or more :class:`ChangeDetector`. Threshold, ``max_share`` and
            ``keep_logits`` of the first are those of the whole; its members see one and the same
            batch.
        views: 1, 2, 4 or 8 symmetries of the square that are averaged in prediction as well, for
            images from above have no up or down.
        data_preprocessor, init_cfg: See mmengine.

    Raises:
        ConfigError: Fewer than two members, or other models among them; another number of views.
    """

    num_dates = 2
    map_kind = 'change'

    def __init__(
        self,
        members: Sequence[dict],
        views: int = 1,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.members = ModuleList(MODELS.build(member) for member in members)
        if len(members) < 2 or not all(isinstance(m, ChangeDetector) for m in self.members):
            raise ConfigError('wants two or more ChangeDetectors', where="type='ChangeEnsemble'")
        if views not in VIEWS:
            raise ConfigError(f'views={views} is not one of {VIEWS}', where="type='ChangeEnsemble'")
        self.views = views

    def logits(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map two batches (N, C, H, W) to the logit of the mean probability, (N, 1, H, W)."""
        scores = torch.stack(
            [
                undo_symmetry(member.logits([symmetry(date, code) for date in inputs]), code)
                for code in range(self.views)
                for member in self.members
            ]
        ).float()
        # log p - log(1 - p); the number of members cancels. Exact where probabilities would be 1.
        return F.logsigmoid(scores).logsumexp(0) - F.logsigmoid(-scores).logsumexp(0)

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """Return 1 where change is more probable than the threshold, (N, H, W)."""
        return self.members[0].decide(logits)

    def decide_scenes(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the labels (N, H, W) of whole scenes, see :class:`ChangeDetector`."""
        return self.members[0].decide_scenes(logits)

    def forward(self, inputs, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Return logits (``'tensor'``), each member's losses (``'loss'``) or samples."""
        if mode == 'loss':
            losses = [member(inputs, data_samples, mode) for member in self.members]
            return {
                f'{k}.{name}': loss for k, own in enumerate(losses) for name, loss in own.items()
            }
        logits = self.logits(inputs)
        return self.members[0].samples(logits, data_samples) if mode == 'predict' else logits
