"""Segmentation into independent channels (footprint, boundary, contact)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData

from rsmm.geo.windows import sliding_windows
from rsmm.models.base import two_classes
from rsmm.models.segmentors.dense import DenseModel
from rsmm.registry import MODELS


@MODELS.register_module()
class FootprintSegmentor(DenseModel):
    """Encoder and decoder for yes-or-no channels instead of competing classes.

    Args:
        scale: Enlarge images (bilinear) by this factor first; logits come back at the image's own
            size. 3 is the winners' variant for small buildings.
        multiple: Inputs are padded by repeating the border to a multiple of this: twice the stride
            of the deepest feature, because the decoder starts one pooling below it. 64 suits all
            common encoders; VGG16 alone would do with 32.
        tile: Side of the tiles in pixels into which large images are cut in ``predict``, the last
            of a row and column moved back to the border; overlapping logits are averaged. None
            takes images whole.
        stride: Distance of the tiles, default their side.
        **kwargs: ``backbone, decode_head, loss, frozen, keep_logits, data_preprocessor,
            init_cfg`` of :class:`rsmm.models.segmentors.dense.DenseModel`.
    """

    map_kind = 'footprints'

    def __init__(
        self,
        *args,
        scale: int = 1,
        multiple: int = 64,
        tile: int | None = None,
        stride: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(*args, multiple=multiple, **kwargs)
        self.scale = scale
        self.tile = tile
        self.stride = stride

    def extract_feat(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the encoder's features of images (N, C, H, W)."""
        return self.encode(inputs)

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map normalised images (N, C, H, W) of any size to logits (N, K, H, W)."""
        if self.scale == 1:
            return super().logits(inputs)
        enlarged = F.interpolate(inputs, scale_factor=self.scale, mode='bilinear')
        return F.interpolate(super().logits(enlarged), inputs.shape[2:], mode='area')

    def tiled_logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits of images, tile by tile where they are larger than one."""
        height, width = inputs.shape[2:]
        if self.tile is None or max(height, width) <= self.tile:
            return self.logits(inputs)
        windows = sliding_windows((height, width), self.tile, self.stride or self.tile)
        places = [(..., *window.slices) for window in windows]
        parts = [self.logits(inputs[place]) for place in places]
        total = parts[0].new_zeros(*parts[0].shape[:2], height, width)
        count = torch.zeros_like(total[:1, :1])
        for place, part in zip(places, parts, strict=True):
            total[place] += part
            count[place] += 1
        return total / count

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """Return 1 where the first channel is more probable than not, (N, H, W)."""
        return logits[:, 0] > 0

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of ground and building, (N, 2, H, W)."""
        return two_classes(logits)

    def forward(self, inputs, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Return logits (``'tensor'``), losses (``'loss'``) or samples (``'predict'``).

        For the loss, samples carry ``gt_sem_seg.data`` (K, H, W) of 0, 1, 255.
        """
        if mode == 'loss':
            target = torch.stack([sample.gt_sem_seg.data for sample in data_samples])
            return self.loss_module(self.logits(inputs), target)
        if mode == 'predict':
            return self.samples(self.tiled_logits(inputs), data_samples)
        return self.logits(inputs)

    def samples(self, logits: torch.Tensor, data_samples: Sequence | None) -> list:
        """Attach logits (K, H, W) and the mask of positive ones to the samples."""
        from mmseg.structures import SegDataSample

        samples = data_samples or [SegDataSample() for _ in logits]
        for sample, scores in zip(samples, logits, strict=True):
            sample.seg_logits = PixelData(data=scores)
            sample.pred_sem_seg = PixelData(data=(scores > 0).to(torch.uint8))
        return list(samples)
