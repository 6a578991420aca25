"""Segmentation of images and of image series into classes."""

from __future__ import annotations

import torch

from rsmm.models.data_preprocessors.series import SeriesPreprocessor
from rsmm.models.segmentors.dense import DenseModel
from rsmm.models.segmentors.encoders import pad_to_multiple
from rsmm.registry import MODELS


@MODELS.register_module()
class RasterSegmentor(DenseModel):
    """Classes per pixel of images with any number of bands.

    With :class:`rsmm.models.data_preprocessors.series.SeriesPreprocessor` and a temporal encoder
    (:class:`rsmm.models.backbones.utae.UTAE`) the input is a series of dates. Arguments are those
    of :class:`rsmm.models.segmentors.dense.DenseModel`.
    """

    @property
    def num_dates(self) -> int | None:  # type: ignore[override]  # a constant of others
        """1, or None with a preprocessor of series."""
        return None if isinstance(self.data_preprocessor, SeriesPreprocessor) else 1

    def extract_feat(self, inputs) -> tuple[torch.Tensor, ...]:
        """Return features of images (N, C, H, W), or of series, a dict for the encoder."""
        if isinstance(inputs, dict):
            images = inputs['images']
            padded = pad_to_multiple(images.flatten(0, 1), self.multiple)
            images = padded.unflatten(0, images.shape[:2])
            return tuple(self.backbone(**{**inputs, 'images': images}))
        return self.encode(inputs)

    @staticmethod
    def image_size(inputs) -> tuple[int, int]:
        """Return (H, W) of images or series."""
        images = inputs['images'] if isinstance(inputs, dict) else inputs
        return tuple(images.shape[-2:])
