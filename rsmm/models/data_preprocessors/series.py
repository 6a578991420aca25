"""Batches of series of different length."""

from __future__ import annotations

import torch

from rsmm.datasets.transforms.series import pad_series
from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor
from rsmm.registry import MODELS


@MODELS.register_module()
class SeriesPreprocessor(MultiSpectralPreprocessor):
    """Pad series to the longest of the batch, move them to the device and normalise them.

    Arguments are those of :class:`MultiSpectralPreprocessor`. The days come from the samples' meta
    information. Series differ in length, so the loader needs ``collate_fn=pseudo_collate``.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return ``inputs`` as a dict of ``images`` (N, T, C, H, W), ``days`` and ``valid``.

        Args:
            data: ``inputs``, N tensors (T_i, C, H, W), and ``data_samples`` with ``days``.
            training: Not used.
        """
        samples = data['data_samples']
        images, days, valid = pad_series(data['inputs'], [sample.days for sample in samples])
        moved = self.cast_data({'images': images, 'days': days, 'valid': valid})
        batch, dates = valid.shape
        normal = self.normalise(moved['images'].flatten(0, 1)).unflatten(0, (batch, dates))
        # The loss must not depend on what a padded date would be after normalisation.
        moved['images'] = torch.where(moved['valid'][..., None, None, None], normal, 0)
        return {'inputs': moved, 'data_samples': self.cast_data(samples)}
