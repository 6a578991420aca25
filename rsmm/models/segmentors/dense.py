"""The frame of models that give a map: encoder, decoder, loss, prediction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import nn

from rsmm.models.base import ScopedModel
from rsmm.models.channels import feature_channels
from rsmm.models.segmentors.encoders import freeze, pad_to_multiple
from rsmm.registry import MODELS


class DenseModel(ScopedModel):
    """Encoder, decoder and loss; subclasses say how inputs become features.

    The decoder is any module that maps a tuple of features to logits (N, K, h, w): rsmm's
    decoders, or a decode head of mmseg, of which only the layers are used. Logits are enlarged to
    the size of the image.

    Args:
        backbone: Encoder of rsmm, mmpretrain or mmseg, by prefix.
        decode_head: Decoder; ``in_channels='auto'`` is replaced by the channels of the features,
            and for mmseg's heads ``in_index`` by all of them.
        loss: Loss on logits (N, K, H, W) and labels (N, H, W).
        frozen: Train the decoder only; batch statistics of the encoder stay as they are.
        multiple: Images are extended to a multiple of this by repeating the border.
        keep_logits: Keep logits in the predicted samples.
        data_preprocessor, init_cfg: See mmengine.
    """

    num_dates: int | None = 1
    #: What its map shows: 'classes', 'change' or 'footprints' (1 against 0), 'chips'.
    map_kind = 'classes'

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        loss: dict,
        *,
        frozen: bool = False,
        multiple: int = 32,
        keep_logits: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if decode_head.get('in_channels') == 'auto':
            channels = self.fused_channels(feature_channels(backbone))
            decode_head = {**decode_head, 'in_channels': channels}
            if decode_head['type'].startswith('mmseg.'):
                decode_head.setdefault('in_index', tuple(range(len(channels))))
        self.backbone = MODELS.build(backbone)
        self.decode_head = MODELS.build(decode_head)
        self.loss_module = MODELS.build(loss)
        self.frozen = frozen
        self.multiple = multiple
        self.keep_logits = keep_logits
        if frozen:
            freeze(self.backbone)

    def fused_channels(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Channels that the decoder gets when the encoder puts out ``channels``."""
        return channels

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @abstractmethod
    def extract_feat(self, inputs) -> tuple[torch.Tensor, ...]:
        """Return the features that the decoder gets."""

    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run the encoder on padded images (N, C, H, W)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return tuple(self.backbone(pad_to_multiple(images, self.multiple)))

    def logits(self, inputs) -> torch.Tensor:
        """Map normalised inputs of any size to logits (N, K, H, W)."""
        height, width = self.image_size(inputs)
        padded = (height + -height % self.multiple, width + -width % self.multiple)
        logits = self.decode_head(self.extract_feat(inputs))
        if logits.shape[2:] != padded:
            logits = F.interpolate(logits, padded, mode='bilinear', align_corners=False)
        return logits[..., :height, :width]

    @staticmethod
    def image_size(inputs) -> tuple[int, int]:
        """Return (H, W) of the inputs."""
        first = inputs[0] if isinstance(inputs, list | tuple) else inputs
        return tuple(first.shape[-2:])

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """Turn logits (N, K, H, W) into labels (N, H, W)."""
        return logits.argmax(dim=1)

    def decide_scenes(self, logits: torch.Tensor) -> torch.Tensor:
        """As :meth:`decide`, for logits of whole scenes, whose statistics may then count."""
        return self.decide(logits)

    def forward(self, inputs, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Return logits (``'tensor'``), losses (``'loss'``) or samples (``'predict'``)."""
        logits = self.logits(inputs)
        if mode == 'loss':
            labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
            return self.loss_module(logits, labels)
        if mode == 'predict':
            return self.samples(logits, data_samples)
        return logits

    def samples(self, logits: torch.Tensor, data_samples: Sequence | None) -> list:
        """Write the labels of logits (N, K, H, W) into samples, new ones when there are none."""
        from mmseg.structures import SegDataSample

        samples = data_samples or [SegDataSample() for _ in logits]
        for sample, scores, labels in zip(samples, logits, self.decide_scenes(logits), strict=True):
            sample.pred_sem_seg = PixelData(data=labels[None].to(torch.uint8))
            if self.keep_logits:
                sample.seg_logits = PixelData(data=scores)
        return list(samples)
