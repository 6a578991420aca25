"""Change between two images by one encoder run on both."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rsmm.errors import ConfigError
from rsmm.models.segmentors.dense import DenseModel
from rsmm.registry import MODELS

FUSIONS = ('diff', 'abs_diff', 'concat', 'early')


@MODELS.register_module()
class ChangeDetector(DenseModel):
    """Siamese encoder, fusion of the features level by level, decoder to one logit per pixel.

    Args:
        fusion: ``'abs_diff'``, which does not care which image is first; ``'diff'`` (second minus
            first); ``'concat'``; ``'early'`` stacks the images' bands before the encoder, whose
            ``in_channels`` then is twice the bands.
        deepest: What the decoder gets on the deepest level: ``'fused'`` as on the others, or
            ``'second'``, the features of the second image alone, as the FC-Siam networks do.
        threshold: Probability above which a pixel is change.
        max_share: Of a scene at most this share is change: those of the pixels above the threshold
            that are the most probable. Building is rare, and a network that meets a season or a
            soil that it was not trained on is too sure everywhere in that scene, while the order
            of its pixels holds. For whole scenes; maps of a scene too large for the memory, made
            row by row, follow the threshold alone.
        **kwargs: ``backbone, decode_head, loss, frozen, multiple, data_preprocessor`` of
            :class:`rsmm.models.segmentors.dense.DenseModel`. Inputs are a list of two batches, as
            ``MultiSpectralPreprocessor`` makes them from pairs.

    Raises:
        ConfigError: An unknown fusion.
    """

    num_dates = 2
    map_kind = 'change'

    def __init__(
        self,
        *args,
        fusion: str = 'abs_diff',
        deepest: str = 'fused',
        threshold: float = 0.5,
        max_share: float = 1.0,
        **kwargs,
    ) -> None:
        if fusion not in FUSIONS or deepest not in ('fused', 'second') or not 0 < threshold < 1:
            raise ConfigError(
                f'fusion={fusion!r}, deepest={deepest!r}, threshold={threshold}',
                where="type='ChangeDetector'",
                fix=f'fusion: {", ".join(FUSIONS)}; deepest: fused, second; threshold in (0, 1)',
            )
        if not 0 < max_share <= 1:
            raise ConfigError(f'max_share={max_share} is no share', where="type='ChangeDetector'")
        self.max_share = max_share
        self.fusion = fusion
        self.deepest = deepest
        # Compared with logits, so that no sigmoid has to be taken.
        self.cut = float(torch.logit(torch.tensor(threshold, dtype=torch.float64)))
        super().__init__(*args, **kwargs)

    def fused_channels(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Channels after fusion."""
        if self.fusion != 'concat':
            return channels
        fused = tuple(2 * count for count in channels)
        return fused if self.deepest == 'fused' else (*fused[:-1], channels[-1])

    def extract_feat(self, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Fuse the features of two batches (N, C, H, W)."""
        first, second = inputs
        if self.fusion == 'early':
            return self.encode(torch.cat([first, second], dim=1))
        # One pass for both: batch normalisation sees both dates, and the device is used better.
        features = self.encode(torch.cat([first, second]))
        halves = [feature.chunk(2) for feature in features]
        fused = [self.fuse(a, b) for a, b in halves]
        if self.deepest == 'second':
            fused[-1] = halves[-1][1]
        return tuple(fused)

    def fuse(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Fuse features (N, C, h, w) of one level."""
        if self.fusion == 'concat':
            return torch.cat([first, second], dim=1)
        difference = second - first
        return difference.abs() if self.fusion == 'abs_diff' else difference

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """Return 1 where change is more probable than the threshold, (N, H, W)."""
        return logits[:, 0] > self.cut

    def decide_scenes(self, logits: torch.Tensor) -> torch.Tensor:
        """Return 1 where change is more probable than the threshold and among the likeliest."""
        return self.decide(logits) & likeliest(logits[:, 0], self.max_share)


def likeliest(scores: torch.Tensor, share: float) -> torch.Tensor:
    """Tell the highest scores of each map, (N, H, W) bool; of equal ones at its edge, none.

    Args:
        scores: (N, H, W).
        share: Of each map at most this share, 0..1.
    """
    flat = scores.flatten(1)
    left_out = flat.shape[1] - int(share * flat.shape[1])
    if not left_out:
        return torch.ones_like(scores, dtype=torch.bool)
    # The highest score that is left out; a tie with it is left out as well.
    limit = flat.kthvalue(left_out, dim=1).values
    return scores > limit[:, None, None]
