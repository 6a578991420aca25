"""Mean and deviation of every band over a whole data set, in one pass."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from rsmm.datasets.base import leaf_datasets
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS
from rsmm.utils import atomic_write, track

#: Transforms that read images; what follows them in a pipeline changes the values.
LOADERS = ('LoadRaster', 'LoadPicture', 'LoadPair', 'LoadStack', 'LoadSeries')


class RunningStats:
    """Count, mean and squared deviations per band, merged block by block.

    Source: Chan et al., "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979. Exact to rounding whatever the order, unlike sums of squares.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray | None = None
        self.squares: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        """Add pixels (N, C) of any real dtype; rows with a value that is not finite are left out.

        Raises:
            DataError: Another number of bands than before.
        """
        values = np.asarray(values, np.float64)
        values = values[np.isfinite(values).all(axis=1)]
        if self.mean is not None and values.shape[1] != len(self.mean):
            raise DataError(f'has {values.shape[1]} bands, the images before {len(self.mean)}')
        if not len(values):
            return
        mean = values.mean(axis=0)
        squares = ((values - mean) ** 2).sum(axis=0)
        if self.mean is None:
            self.count, self.mean, self.squares = len(values), mean, squares
            return
        total = self.count + len(values)
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * (self.count * len(values) / total)
        self.mean = self.mean + apart * (len(values) / total)
        self.count = total

    @property
    def std(self) -> np.ndarray:
        """Deviation of the population, (C,)."""
        return np.sqrt(self.squares / self.count)


def present_pixels(image: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Return the pixels (N, C) of an image (H, W, C) or series (H, W, T, C) that have data."""
    pixels = image.reshape(-1, image.shape[-1])
    return pixels if missing is None else pixels[np.asarray(missing).reshape(-1) == 0]


def dataset_stats(settings: Mapping, limit: int | None = None) -> dict:
    """Read the images of a data set as training reads them and return their statistics.

    Args:
        settings: Config of the data set. Of its pipeline only the transform that reads is used, so
            values are stored ones (or those of its ``scale``), and padding does not count.
        limit: Use only so many samples, spread over the set.

    Returns:
        ``bands``, ``mean``, ``std`` (per band), ``pixels`` and ``images``.

    Raises:
        ConfigError: The pipeline does not read images.
        DataError: No pixel has data, or images have other bands than the first.
    """
    loaders = [step for step in settings.get('pipeline', ()) if step['type'] in LOADERS]
    if len(loaders) != 1:
        raise ConfigError(
            f'expected one of {", ".join(LOADERS)} in the pipeline, found {len(loaders)}',
            where='train_dataloader.dataset',
        )
    (dataset,) = leaf_datasets(DATASETS.build({**settings, 'pipeline': loaders}))
    chosen = range(len(dataset))
    if limit is not None and limit < len(dataset):
        chosen = np.linspace(0, len(dataset) - 1, limit).round().astype(int).tolist()
    return _collected((dataset[k] for k in track(chosen, 'Reading images')), dataset.data_root)


def _collected(samples: Iterable[Mapping], where: str) -> dict:
    stats, bands, images = RunningStats(), None, 0
    for sample in samples:
        names = tuple(sample.get('bands') or ())
        bands = names if bands is None else bands
        if names != bands:
            raise DataError(
                f'has bands {", ".join(names)}, the images before {", ".join(bands)}',
                where=sample.get('img_path', where),
            )
        stats.add(present_pixels(sample['img'], sample.get('missing')))
        images += 1
    if not stats.count:
        raise DataError('no pixel has data', where=where)
    return {
        'bands': list(bands),
        'mean': stats.mean.tolist(),
        'std': stats.std.tolist(),
        'pixels': stats.count,
        'images': images,
    }


def write_stats(table: Mapping, path: str | Path) -> None:
    """Write what :func:`dataset_stats` returns; ``stats=<path>`` of a preprocessor reads it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(Path(path), 'w', encoding='utf-8') as file:
        json.dump(dict(table), file, indent=1)
