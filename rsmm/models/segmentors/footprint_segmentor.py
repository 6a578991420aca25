"""Segmentation into independent channels (footprint, boundary, contact)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder

from rsmm.models.segmentors.encoders import feature_channels, pad_to_multiple, qualified
from rsmm.registry import MODELS


@MODELS.register_module()
class FootprintSegmentor(EncoderDecoder):
    """mmseg's encoder-decoder for yes-or-no channels instead of competing classes.

    ``decode_head.in_channels='auto'`` is replaced by what the backbone puts out, so an encoder is
    exchanged by changing ``backbone`` alone.

    Args:
        backbone: Encoder with features at doubling strides.
        decode_head: Head with ``in_channels``, ``loss_decode`` and ``predict``.
        bands: Bands of the input, needed to ask the backbone for its channels.
        scale: Enlarge images (bilinear) and targets (nearest) by this factor first; logits come
            back at the image's own size. 3 is the winners' variant for small buildings.
        multiple: Inputs are padded by repeating the border to a multiple of this: twice the stride
            of the deepest feature, because the decoder starts one pooling below it. 64 suits all
            common encoders; VGG16 alone would do with 32.
        **kwargs: ``data_preprocessor, train_cfg, test_cfg, init_cfg`` of mmseg. With
            ``test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(512, 512))`` large images
            are tiled and overlapping logits averaged.
    """

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        bands: int = 3,
        scale: int = 1,
        multiple: int = 64,
        **kwargs,
    ) -> None:
        if decode_head.get('in_channels') == 'auto':
            decode_head = {**decode_head, 'in_channels': feature_channels(backbone, bands)}
        super().__init__(qualified(backbone), decode_head, **kwargs)
        self.scale = scale
        self.multiple = multiple

    def _init_decode_head(self, decode_head: dict) -> None:
        self.decode_head = MODELS.build(decode_head)
        self.align_corners = self.decode_head.align_corners
        self.num_classes = self.out_channels = self.decode_head.num_classes

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (N, C, H, W) of any size to logits (N, K, H, W)."""
        size = images.shape[2:]
        if self.scale != 1:
            images = F.interpolate(images, scale_factor=self.scale, mode='bilinear')
        height, width = images.shape[2:]
        padded = pad_to_multiple(images, self.multiple)
        logits = self.decode_head(self.extract_feat(padded))
        if logits.shape[2:] != padded.shape[2:]:
            logits = F.interpolate(logits, padded.shape[2:], mode='bilinear')
        logits = logits[..., :height, :width]
        return logits if self.scale == 1 else F.interpolate(logits, size, mode='area')

    def encode_decode(self, inputs: torch.Tensor, batch_img_metas: list[dict]) -> torch.Tensor:
        """Return logits (N, K, H, W) of whole images or of the tiles of a sliding window."""
        return self.logits(inputs)

    def _forward(self, inputs: torch.Tensor, data_samples=None) -> torch.Tensor:
        return self.logits(inputs)

    def loss(self, inputs: torch.Tensor, data_samples: list) -> dict[str, torch.Tensor]:
        """Return the loss terms.

        Args:
            inputs: (N, C, H, W) normalised.
            data_samples: Samples with ``gt_sem_seg.data`` (K, H, W) of 0, 1, 255.
        """
        target = torch.stack([sample.gt_sem_seg.data for sample in data_samples])
        return self.decode_head.loss_decode(self.logits(inputs), target)

    def postprocess_result(self, seg_logits: torch.Tensor, data_samples: list | None = None):
        """Attach logits (K, H, W) and the mask of positive ones to the samples."""
        from mmseg.structures import SegDataSample

        samples = data_samples or [SegDataSample() for _ in seg_logits]
        for sample, logits in zip(samples, seg_logits, strict=True):
            sample.seg_logits = PixelData(data=logits)
            sample.pred_sem_seg = PixelData(data=(logits > 0).to(torch.uint8))
        return samples
