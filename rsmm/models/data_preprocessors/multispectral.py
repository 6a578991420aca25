"""Stacking, moving and normalising batches of any band count."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor

from rsmm.datasets.transforms.gaps import zero_missing
from rsmm.errors import ConfigError
from rsmm.registry import MODELS
from rsmm.sensors import band_stats, resolve_bands


@MODELS.register_module()
class MultiSpectralPreprocessor(BaseDataPreprocessor):
    """Move a batch to the device in its stored dtype and normalise it there.

    The stock preprocessors take 1 or 3 bands. This one takes any number, from either collate
    function, one image or several views per sample. Moving uint8 or uint16 and casting on the
    device carries a quarter or half of the bytes that float32 would.

    ``output = (input / scale - mean) / std``, float32.

    Args:
        mean: Per-band means, in units of ``input / scale``.
        std: Per-band standard deviations, same units.
        bands: Names of the bands that come in, or the name of an order in ``rsmm.sensors``; needed
            for ``stats``.
        stats: Key of ``rsmm.sensors.BAND_STATS`` (stored units) to take mean and std from.
        scale: Divisor applied first, e.g. 255 for bytes or 10000 for digital numbers.
        non_blocking: Passed to ``Tensor.to``.
        batch_augments: Settings of ``mmpretrain.RandomBatchAugment`` (Mixup, CutMix), applied to
            training batches of a classifier; mmpretrain's classifiers pass their ``train_cfg``.
        num_classes: Number of classes; needed for ``batch_augments``.

    Raises:
        ConfigError: Settings that contradict each other; a batch of another band count.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bands: str | Sequence[str] | None = None,
        stats: str | None = None,
        scale: float | None = None,
        non_blocking: bool = False,
        batch_augments: dict | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.num_classes = num_classes
        if batch_augments is not None and num_classes is None:
            raise ConfigError('batch_augments needs num_classes', where='data_preprocessor')
        self.batch_augments = None
        if batch_augments is not None:
            from mmpretrain.models import RandomBatchAugment

            self.batch_augments = RandomBatchAugment(**batch_augments)
        self.bands = None if bands is None else resolve_bands(bands)
        if stats is not None:
            if mean is not None or std is not None or scale is not None or self.bands is None:
                raise ConfigError(
                    'stats brings mean and std in stored units for the named bands',
                    where='data_preprocessor',
                    fix='Set bands together with stats, and leave out mean, std and scale',
                )
            mean, std = band_stats(stats, self.bands)
        if (mean is None) != (std is None):
            raise ConfigError('mean and std belong together', where='data_preprocessor')
        self.num_bands = self._count_bands(mean, std)
        scale = 1.0 if scale is None else float(scale)
        # (x / scale - mean) / std as one multiply and one add per value.
        factor = 1 / (scale * torch.tensor(1.0 if std is None else std, dtype=torch.float64))
        shift = -torch.tensor(0.0 if mean is None else mean, dtype=torch.float64) * scale * factor
        self.register_buffer('factor', factor.float().view(-1, 1, 1), persistent=False)
        self.register_buffer('shift', shift.float().view(-1, 1, 1), persistent=False)

    def _count_bands(self, mean: Sequence | None, std: Sequence | None) -> int | None:
        lengths = {len(values) for values in (self.bands, mean, std) if values is not None}
        if len(lengths) > 1:
            raise ConfigError(
                f'bands, mean and std differ in length: {sorted(lengths)}',
                where='data_preprocessor',
            )
        return lengths.pop() if lengths else None

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise ``data['inputs']`` and pass everything else on.

        Args:
            data: ``inputs`` is a tensor (N, C, H, W), a list of N tensors (C, H, W), or a list of
                views of either form; ``data_samples`` and other keys are moved to the device.
            training: Whether batch augmentations apply.

        Returns:
            A dict with ``inputs`` float32 (N, C, H, W), or a list of them per view; 0, the mean,
            where a sample says that pixels are ``missing``.
        """
        inputs = data['inputs']
        # Stack first: one transfer per batch instead of one per sample.
        if _is_views(inputs):
            inputs = [_stack(view) for view in inputs]
        else:
            inputs = _stack(inputs)
        data = self.cast_data({'data_samples': None, **data, 'inputs': inputs})
        if isinstance(data['inputs'], list):
            data['inputs'] = [self.normalise(view) for view in data['inputs']]
            zero_missing(data['inputs'], data['data_samples'])
        else:
            data['inputs'] = zero_missing(self.normalise(data['inputs']), data['data_samples'])
            if training and self.batch_augments is not None:
                data['inputs'] = self._mix(data['inputs'], data['data_samples'])
        return data

    def _mix(self, batch: torch.Tensor, samples: Sequence) -> torch.Tensor:
        """Apply the batch augmentations; the samples get soft labels ``gt_score``."""
        labels = torch.cat([sample.gt_label for sample in samples]).to(batch.device)
        scores = torch.nn.functional.one_hot(labels, self.num_classes).float()
        batch, scores = self.batch_augments(batch, scores)
        for sample, score in zip(samples, scores, strict=True):
            sample.set_gt_score(score)
        return batch

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Return ``(batch / scale - mean) / std`` as float32 for a batch (N, C, H, W)."""
        if self.num_bands is not None and batch.shape[1] != self.num_bands:
            names = '' if self.bands is None else f' ({", ".join(self.bands)})'
            raise ConfigError(
                f'set up for {self.num_bands} bands{names}, got a batch of {batch.shape[1]}',
                where='data_preprocessor',
                fix='Make the bands of the dataset and of the data_preprocessor agree',
            )
        return torch.addcmul(self.shift, batch.float(), self.factor)


def _is_views(inputs: torch.Tensor | Sequence) -> bool:
    """Tell a list of views from a batch: its items are batches (4-D, or lists of images)."""
    if isinstance(inputs, torch.Tensor):
        return False
    return not isinstance(inputs[0], torch.Tensor) or inputs[0].ndim == 4


def _stack(images: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    return images if isinstance(images, torch.Tensor) else torch.stack(list(images))
