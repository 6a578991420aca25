"""SACo's probe: a frozen three-band encoder over band groups, with LBP histograms beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.base import ScopedModel
from rsmm.models.layers.pooling import pool
from rsmm.models.selfsup.saco import BandGrouper
from rsmm.ops.texture import lbp
from rsmm.registry import MODELS


def lbp_histogram(codes: Tensor, bins: int) -> Tensor:
    """Count the codes of each band.

    Args:
        codes: ``(N, C, H, W)`` integers; codes of ``bins`` and more are not counted.
        bins: Bins per band.

    Returns:
        ``(N, C * bins)`` float32.
    """
    counts = [(codes == code).flatten(2).sum(dim=2) for code in range(bins)]
    return torch.stack(counts, dim=2).flatten(1).float()


@MODELS.register_module()
class BandGroupClassifier(ScopedModel):
    """Linear classifier on pooled features of each band group; the groups' outputs are averaged.

    With ``texture`` the LBP histogram of all bands joins the features of every group. Only the
    linear layer learns, and frozen batch normalisation stays in evaluation mode.

    ``compat='reference'`` follows SACo's released probe: 16 bins, so that the codes 16 and 17 are
    not counted, histograms scaled by the least and largest count of the batch, and cross-entropy
    of outputs that went through a softmax already. The default counts all 18 codes, divides by the
    number of pixels and averages logits.

    Input: ``(N, C, H, W)`` in [0, 1]. Source: Stival et al., SACo+ (ISPRS J. 2025).

    Args:
        backbone: Three-channel backbone; load weights through its ``init_cfg``.
        num_classes: Classes.
        in_channels: Channels of its last feature map.
        bands: Names of the input bands, or the name of an order.
        groups: See :class:`rsmm.models.selfsup.saco.BandGrouper`.
        texture: Add LBP histograms.
        compat: None, or ``'reference'``.
        data_preprocessor: Must bring stored values to [0, 1].
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        num_classes: int,
        in_channels: int = 512,
        bands: str | Sequence[str] = 'eurosat',
        groups: str | Sequence[Sequence[str]] = 'readme',
        texture: bool = False,
        compat: str | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if compat not in (None, 'reference'):
            raise ConfigError(f"compat={compat!r} is neither None nor 'reference'")
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = backbone if isinstance(backbone, nn.Module) else MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.grouper = BandGrouper(bands, groups)
        self.texture = texture
        self.compat = compat
        self.bins = 16 if compat == 'reference' else 18
        extra = len(self.grouper.bands) * self.bins if texture else 0
        self.fc = nn.Linear(in_channels + extra, num_classes)

    def train(self, mode: bool = True) -> BandGroupClassifier:
        """Switch the linear layer only."""
        super().train(mode)
        self.backbone.eval()
        return self

    def features(self, inputs: Tensor) -> Tensor:
        """Features of each group ``(G, N, D)``, without gradient."""
        with torch.no_grad():
            pooled = [pool(self.backbone(group)) for group in self.grouper(inputs)]
            if self.texture:
                histogram = self.histogram(inputs)
                pooled = [torch.cat([features, histogram], dim=1) for features in pooled]
        return torch.stack(pooled)

    def histogram(self, inputs: Tensor) -> Tensor:
        """Scaled LBP histograms ``(N, C * bins)``."""
        codes = lbp((inputs * 255).round().to(torch.int32), 16, 2, 'uniform')
        counts = lbp_histogram(codes, self.bins)
        if self.compat == 'reference':
            low, high = counts.aminmax()
            return (counts - low) / (high - low).clamp(min=1)
        return counts / (codes.shape[2] * codes.shape[3])

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> Tensor | dict | list:
        """Scores, the loss, or data samples with ``pred_score`` and ``pred_label``."""
        outputs = self.fc(self.features(inputs))
        if self.compat == 'reference':
            outputs = outputs.softmax(dim=2)
        scores = outputs.mean(dim=0)
        if mode == 'tensor':
            return scores
        if mode == 'loss':
            target = torch.cat([sample.gt_label for sample in data_samples]).to(scores.device)
            return {'loss': F.cross_entropy(scores, target)}
        probabilities = scores if self.compat == 'reference' else scores.softmax(dim=1)
        for sample, score in zip(data_samples, probabilities, strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return data_samples
