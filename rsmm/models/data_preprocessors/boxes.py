"""Batches for detectors from images of any band count."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rsmm.errors import ConfigError
from rsmm.ops.mmcv_fallback import install
from rsmm.registry import MODELS
from rsmm.sensors import band_stats, resolve_bands

install()  # mmdet imports mmcv.ops

from mmdet.models import DetDataPreprocessor  # noqa: E402


@MODELS.register_module()
class MultiSpectralDetPreprocessor(DetDataPreprocessor):
    """mmdet's preprocessor, which takes 1 or 3 bands, for any number of them.

    It moves images ``(C, H, W)`` of several sizes to the device, normalises and pads them to one
    batch (N, C, H, W) float32, and notes the padded size where mmdet's heads look for it.

    Args:
        mean: Per-band means in stored units.
        std: Per-band standard deviations in stored units.
        bands: Names of the bands that come in, or the name of an order in ``rsmm.sensors``.
        stats: Key of ``rsmm.sensors.BAND_STATS`` instead of ``mean`` and ``std``; needs ``bands``.
        **kwargs: As for ``mmdet.DetDataPreprocessor``, e.g. ``pad_size_divisor``.

    Raises:
        ConfigError: Neither or both of statistics and their name, or unequal numbers of bands.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bands: str | Sequence[str] | None = None,
        stats: str | None = None,
        **kwargs,
    ) -> None:
        names = None if bands is None else resolve_bands(bands)
        if (stats is None) == (mean is None) or (mean is None) != (std is None):
            raise ConfigError(
                'expected either mean and std or stats',
                where='data_preprocessor',
                fix='Set mean=[...], std=[...], or bands and stats',
            )
        if stats is not None:
            if names is None:
                raise ConfigError('stats needs bands', where='data_preprocessor')
            mean, std = band_stats(stats, names)
        if len({len(part) for part in (mean, std, names) if part is not None}) > 1:
            raise ConfigError(
                f'mean, std and bands differ in length: {len(mean)}, {len(std)}, '
                f'{len(names or mean)}',
                where='data_preprocessor',
            )
        super().__init__(**kwargs)
        self.bands, self.num_bands = names, len(mean)
        self._enable_normalize = True
        for name, values in (('mean', mean), ('std', std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1).float(), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return the batch as mmdet's does.

        Raises:
            ConfigError: An image has another number of bands.
        """
        for image in data['inputs']:
            if image.shape[0] != self.num_bands:
                raise ConfigError(
                    f'set up for {self.num_bands} bands, got an image of {image.shape[0]}',
                    where='data_preprocessor',
                    fix='Make the bands of the dataset and of the data_preprocessor agree',
                )
        return super().forward(data, training)
