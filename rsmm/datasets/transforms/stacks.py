"""Series from one file per date."""

from __future__ import annotations

import datetime as dt

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.pastis import REFERENCE
from rsmm.datasets.transforms.gaps import keep_missing
from rsmm.errors import ConfigError, DataError
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import read_raster
from rsmm.geo.rasterize import check_same_place
from rsmm.geo.tags import check_tags
from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadStack(BaseTransform):
    """Load the dates of a place, one file each, on one grid.

    Required Keys:

    - date_files (list of str), dates (list of ``YYYY-MM-DD``), in order of time
    - file_bands, bands (tuple[str], optional)
    - window (optional): row, column, height and width; cut at the lower and right border

    Added Keys:

    - img (np.ndarray): (H, W, T, C), stored dtype
    - days (tuple[int]): days since the first of September 2018, as PASTIS counts them
    - missing (np.ndarray): (H, W, T) uint8, not 0 where a date has no data, which ``img`` has as
      the mean of its band; absent where none is missing
    - img_path, img_paths, bands, img_shape, ori_shape, crs, transform, nodata

    Args:
        max_dates: Keep a random subset of this size in training.
        nodata: Value of missing pixels in files without a nodata tag.

    Raises:
        DataError: The dates differ in size, place or tags, or one cannot be read.
    """

    def __init__(self, max_dates: int | None = None, nodata: float | None = None) -> None:
        if max_dates is not None and max_dates < 1:
            raise ConfigError(f'max_dates={max_dates}, expected 1 or more', where='LoadStack')
        self.max_dates, self.nodata = max_dates, nodata

    def transform(self, results: dict) -> dict:
        """Read the dates that ``results`` names."""
        files = results['date_files']
        chosen: np.ndarray = np.arange(len(files))
        if self.max_dates is not None and len(files) > self.max_dates:
            chosen = np.sort(np.random.choice(len(files), self.max_dates, replace=False))
        paths = [files[k] for k in chosen]
        images, founds = zip(*(self._read(path, results) for path in paths), strict=True)
        _check_alike(images, founds, paths)
        gaps = [found.pop('missing', None) for found in founds]
        filled = [fill_missing(one, gap) for one, gap in zip(images, gaps, strict=True)]
        shape = images[0].shape[:2]
        results.update(founds[0])
        results.update(
            img=np.stack(filled, axis=2),
            img_path=paths[0],
            img_paths=tuple(paths),
            img_shape=shape,
            ori_shape=shape,
            days=tuple(_day(results['dates'][k]) for k in chosen),
        )
        if all(gap is None for gap in gaps):
            return keep_missing(results, None)
        whole = [np.zeros(shape, bool) if gap is None else gap for gap in gaps]
        return keep_missing(results, np.stack(whole, axis=2))

    def _read(self, path: str, results: dict) -> tuple[np.ndarray, dict]:
        options = {} if self.nodata is None else {'nodata': self.nodata}
        return read_raster(
            path,
            results.get('file_bands'),
            results.get('bands'),
            window=results.get('window'),
            **options,
        )

    def __repr__(self) -> str:
        return f'LoadStack(max_dates={self.max_dates})'


def _check_alike(images, founds, paths) -> None:
    """Refuse dates of another size, coordinate system, place or scale than the first."""
    check_tags(founds, paths)
    for image, found, path in zip(images[1:], founds[1:], paths[1:], strict=True):
        shapes = [one.shape[:2] for one in (images[0], image)]
        if shapes[0] != shapes[1]:
            raise DataError(
                f'has {shapes[1][0]}x{shapes[1][1]} pixels, {paths[0]} {shapes[0][0]}x'
                f'{shapes[0][1]}',
                where=path,
                fix='Bring all dates of a place to one grid, e.g. with gdalwarp',
            )
        if found['crs'] != founds[0]['crs']:
            raise DataError(f'its coordinate system differs from that of {paths[0]}', where=path)
        places = [founds[0]['transform'], found['transform']]
        check_same_place([paths[0], path], places, shapes)


def _day(date: str) -> int:
    return (dt.date.fromisoformat(date) - REFERENCE).days
