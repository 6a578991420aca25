"""Series of images of one place: loading them, choosing dates, normalising."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.pastis import REFERENCE
from rsmm.datasets.transforms.labels import check_classes
from rsmm.errors import ConfigError, DataError
from rsmm.geo.label_raster import check_label_size
from rsmm.registry import TRANSFORMS
from rsmm.sensors import band_indices
from rsmm.utils.foreign import parsing

DATES = ('all', 'random', 'single')


@TRANSFORMS.register_module()
class LoadSeries(BaseTransform):
    """Load a series from ``.npy`` and choose dates.

    Required Keys:

    - series_path (str): (T, C, H, W) int16, uint16 or float32
    - days (sequence of int): day of each date
    - file_bands, bands (tuple[str])

    Added Keys:

    - img (np.ndarray): (H, W, T, C), a view; with one date (H, W, C), and no ``days``
    - days (tuple[int]): of the chosen dates, in order of time
    - img_path, img_shape, ori_shape, nodata, crs, transform

    Args:
        dates: ``'all'``; ``'random'``: one at random; ``'single'``: the one nearest to ``date``.
        date: Day of ``'single'``, ``YYYY-MM-DD``.
        max_dates: With ``'all'``, keep a random subset of this size in training.
        drop_duplicates: Keep the first of several images of one day instead of refusing them.

    Raises:
        DataError: Another number of dates than the metadata says, duplicate dates, or a file that
            is no array of this form or holds NaN.
    """

    def __init__(
        self,
        dates: str = 'all',
        date: str | None = None,
        max_dates: int | None = None,
        drop_duplicates: bool = False,
    ) -> None:
        if dates not in DATES or (dates == 'single') != (date is not None):
            raise ConfigError(
                f'dates={dates!r}, date={date!r}',
                where='LoadSeries',
                fix="dates is all, random or single; 'single' needs date='YYYY-MM-DD'",
            )
        if max_dates is not None and max_dates < 1:
            raise ConfigError(f'max_dates={max_dates}, expected 1 or more', where='LoadSeries')
        self.dates = dates
        self.day = None if date is None else _day(date)
        self.max_dates = max_dates
        self.drop_duplicates = drop_duplicates

    def transform(self, results: dict) -> dict:
        """Read the series that ``results`` names."""
        path = results['series_path']
        series = read_array(path, 4)
        days = np.asarray(results['days'])
        if len(days) != len(series):
            raise DataError(
                f'holds {len(series)} dates, the metadata {len(days)}',
                where=path,
                fix='Use the metadata that belongs to this file',
            )
        chosen = self._choose(self._ordered(days, path), days)
        bands = band_indices(results['file_bands'], results['bands'], where=path)
        if series.shape[1] != len(results['file_bands']):
            raise DataError(
                f'expected {len(results["file_bands"])} bands, found {series.shape[1]}', where=path
            )
        whole = bands == list(range(series.shape[1]))
        part = np.asarray(
            series[chosen] if whole else series[np.ix_(np.asarray(chosen), np.asarray(bands))]
        )
        if part.dtype.kind == 'f' and not np.isfinite(part).all():
            raise DataError(
                f'{np.count_nonzero(~np.isfinite(part))} of {part.size} values are NaN or infinite',
                where=path,
                fix='Fill them, e.g. by interpolation in time',
            )
        image = part.transpose(2, 3, 0, 1)
        results.update(
            img=image if self.dates == 'all' else image[:, :, 0],
            img_path=path,
            nodata=None,
            crs=None,
            transform=None,
            img_shape=image.shape[:2],
            ori_shape=image.shape[:2],
        )
        results['days'] = tuple(days[chosen].tolist())
        if self.dates != 'all':
            results['date'] = results.pop('days')[0]
        return results

    def _ordered(self, days: np.ndarray, path: str) -> np.ndarray:
        """Positions in order of time, duplicates refused or dropped."""
        _, first, counts = np.unique(days, return_index=True, return_counts=True)
        if (counts > 1).any() and not self.drop_duplicates:
            day = REFERENCE + dt.timedelta(days=int(days[first[counts > 1][0]]))
            raise DataError(
                f'has {counts.max()} images of {day}',
                where=path,
                fix='Set drop_duplicates=True to keep the first of each day',
            )
        return first

    def _choose(self, order: np.ndarray, days: np.ndarray) -> np.ndarray:
        if self.dates == 'random':
            return order[[np.random.randint(len(order))]]
        if self.dates == 'single':
            return order[[np.abs(days[order] - self.day).argmin()]]
        if self.max_dates is not None and len(order) > self.max_dates:
            return order[np.sort(np.random.choice(len(order), self.max_dates, replace=False))]
        return order

    def __repr__(self) -> str:
        return f'LoadSeries(dates={self.dates!r}, max_dates={self.max_dates})'


def _day(date: str) -> int:
    try:
        return (dt.date.fromisoformat(date) - REFERENCE).days
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f'date={date!r} is no day', where='LoadSeries', fix='Write it as YYYY-MM-DD'
        ) from error


@TRANSFORMS.register_module()
class LoadSeriesLabel(BaseTransform):
    """Load the class map of a series, channel 0 of a ``.npy`` file.

    Required Keys: label_path, classes, label_void (optional), img_shape

    Added Keys: gt_seg_map (H, W) uint8 with 255 for ignored classes, seg_fields

    Raises:
        DataError: A label that is no class, or of another size than the images.
    """

    def transform(self, results: dict) -> dict:
        """Read the label that ``results`` names."""
        path = results['label_path']
        label = check_classes(np.asarray(read_array(path, 3)[0]), results, path)
        check_label_size(label.shape, results.get('img_shape'), path)
        label[np.isin(label, results.get('label_void', ()))] = 255
        results['gt_seg_map'] = label
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return 'LoadSeriesLabel()'


@TRANSFORMS.register_module()
class NormalizeSeries(BaseTransform):
    """Subtract the mean and divide by the deviation that the dataset brings, as float32.

    Required Keys: img (H, W, ..., C), norm (mean and deviation per band of the file), file_bands,
    bands

    Modified Keys: img
    """

    def transform(self, results: dict) -> dict:
        """Normalise ``img``."""
        index = band_indices(results['file_bands'], results['bands'])
        mean, std = (np.asarray(values, np.float32)[index] for values in results['norm'])
        image = np.subtract(results['img'], mean, dtype=np.float32)
        image /= std
        results['img'] = image
        return results

    def __repr__(self) -> str:
        return 'NormalizeSeries()'


def read_array(path: str | Path, ndim: int) -> np.ndarray:
    """Open a ``.npy`` file as a read-only memory map; pickled objects are refused.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is no array file, is cut, empty, or has another number of axes.
    """
    with parsing(path, 'cannot be read', 'Download it again'):
        array = np.load(path, mmap_mode='r', allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise DataError('is no single array', where=path)
    if array.ndim != ndim or not array.size:
        raise DataError(f'expected {ndim} axes with values, found shape {array.shape}', where=path)
    return array


def pad_series(series: Sequence, days: Sequence[Sequence[int]]) -> tuple:
    """Stack series of different length, filled up with zeros.

    Args:
        series: Tensors (T_i, C, H, W).
        days: Day of each date, per series.

    Returns:
        Tensor (N, T, C, H, W), days (N, T) int64 and valid (N, T) bool.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    stacked = pad_sequence(list(series), batch_first=True)
    positions = pad_sequence([torch.as_tensor(day) for day in days], batch_first=True)
    lengths = torch.tensor([len(one) for one in series])
    return stacked, positions, torch.arange(stacked.shape[1]) < lengths[:, None]
