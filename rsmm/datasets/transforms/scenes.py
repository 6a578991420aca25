"""Drawing dates of a place and loading them, all bands on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.date_rules import DateRule, date_rule
from rsmm.datasets.scene_shards import open_shards
from rsmm.datasets.scenes import band_files
from rsmm.errors import ConfigError, DataError
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import read_raster
from rsmm.geo.tags import check_tags
from rsmm.registry import TRANSFORMS

RESAMPLE = ('auto', 'bilinear')


@TRANSFORMS.register_module()
class SampleDates(BaseTransform):
    """Choose the dates of a place that a method compares.

    Required Keys: scenes, anchor, mode (unless set here)

    Modified Keys: scenes (those drawn, one per role, in the order of the rule's roles)

    Added Keys: dates (tuple[str]): their days

    Args:
        mode: Name of a date rule (:mod:`rsmm.datasets.date_rules`); that of the dataset if left
            out.
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode
        self.rules: dict[str, DateRule] = {}
        if mode is not None:
            self.rule(mode)

    def rule(self, mode: str) -> DateRule:
        """Rule of a name, looked up once."""
        if mode not in self.rules:
            self.rules[mode] = date_rule(mode, 'SampleDates')
        return self.rules[mode]

    def transform(self, results: dict) -> dict:
        """Draw with NumPy's global generator."""
        scenes = results['scenes']
        rule = self.rule(self.mode or results['mode'])
        dates = [scene['date'] for scene in scenes]
        drawn = rule.draw(dates, results['anchor'])
        results['scenes'] = [scenes[position] for position in drawn]
        results['dates'] = tuple(dates[position] for position in drawn)
        return results

    def __repr__(self) -> str:
        return f'SampleDates(mode={self.mode!r})'


@TRANSFORMS.register_module()
class LoadScenes(BaseTransform):
    """Load the scenes of a sample, each band brought to one grid; a date drawn twice is read once.

    Required Keys: scenes, bands, shards (optional: packed folder to read instead of files),
    stored_dtype (optional: that all scenes must have)

    Added Keys:

    - img (list[np.ndarray]): (size, size, C) per scene, stored dtype
    - img_shape (tuple[int, int]): (size, size)

    Args:
        size: Height and width in pixels that all bands are resized to.
        resample: ``'auto'`` averages where a band shrinks and interpolates where it grows;
            ``'bilinear'`` always interpolates.

    Raises:
        DataError: A band is missing or cannot be read, a scene's dtype differs from that of the
            others, or packed scenes are of another size.
    """

    def __init__(self, size: int, resample: str = 'auto') -> None:
        if resample not in RESAMPLE:
            raise ConfigError(f'resample={resample!r} is not one of {RESAMPLE}', where='LoadScenes')
        self.size = size
        self.resample = resample

    def transform(self, results: dict) -> dict:
        """Read every distinct scene once."""
        shards = None
        if 'shards' in results:
            shards = self.open(results['shards'])
        loaded: dict[str, np.ndarray] = {}
        for scene in results['scenes']:
            if scene['name'] not in loaded:
                if shards is None:
                    image = self.read(scene, results['bands'])
                else:
                    image = shards.read(scene['name'], results['bands'])
                loaded[scene['name']] = image
        dtypes = {name: image.dtype for name, image in loaded.items()}
        if results.get('stored_dtype') is not None:
            dtypes['the first scene of the archive'] = np.dtype(results['stored_dtype'])
        if len(set(dtypes.values())) > 1:
            raise _mixed(dtypes, results['img_path'])
        results['img'] = [loaded[scene['name']] for scene in results['scenes']]
        results['img_shape'] = (self.size, self.size)
        return results

    def open(self, folder: str):
        """Open packed scenes, which must be of the size and resampling asked for."""
        shards = open_shards(folder)
        if (shards.size, shards.resample) != (self.size, self.resample):
            raise DataError(
                f'packed at {shards.size} pixels ({shards.resample}), the config asks for '
                f'{self.size} ({self.resample})',
                where=folder,
                fix='Pack again with that --size and --resample, or change LoadScenes',
            )
        return shards

    def read(self, scene: dict, bands: tuple[str, ...]) -> np.ndarray:
        """Read one scene from its files, (size, size, C)."""
        folder = Path(scene['folder'])
        return stack_bands(band_files(folder), bands, self.size, self.resample, folder)

    def __repr__(self) -> str:
        return f'LoadScenes(size={self.size}, resample={self.resample!r})'


@TRANSFORMS.register_module()
class LoadBandFiles(BaseTransform):
    """Load an image whose bands are files of their own, each brought to one grid.

    Required Keys: band_files (dict of canonical name to path), bands

    Added Keys: img (size, size, C), img_shape, ori_shape, nodata, crs, transform (None)

    Args:
        size: Height and width in pixels that all bands are resized to.
        resample: As in :class:`LoadScenes`.
        scaled: Apply the scale and offset tags of the files; the image is then float32.

    Raises:
        DataError: A file is missing or cannot be read, or the dtypes differ.
    """

    def __init__(self, size: int, resample: str = 'auto', scaled: bool = False) -> None:
        if resample not in RESAMPLE:
            raise ConfigError(f'resample={resample!r} is not one of {RESAMPLE}')
        self.size = size
        self.resample = resample
        self.scaled = scaled

    def transform(self, results: dict) -> dict:
        """Read the bands asked for."""
        results['img'] = stack_bands(
            results['band_files'],
            results['bands'],
            self.size,
            self.resample,
            results['img_path'],
            nodata=results.get('file_nodata'),
            scaled=self.scaled,
        )
        results['img_shape'] = results['ori_shape'] = (self.size, self.size)
        results.update(nodata=None, crs=None, transform=None)
        return results

    def __repr__(self) -> str:
        return f'LoadBandFiles(size={self.size}, resample={self.resample!r})'


def stack_bands(
    files: Mapping[str, str | Path],
    bands: tuple[str, ...],
    size: int,
    resample: str,
    where: str | Path,
    nodata: float | None = None,
    scaled: bool = False,
) -> np.ndarray:
    """Read single-band files onto one grid, (size, size, C).

    Args:
        files: Path per canonical band name.
        bands: Bands to read, in this order.
        size: Height and width in pixels.
        resample: ``'auto'`` or ``'bilinear'``.
        where: What to name in errors.
        nodata: Value of missing pixels in files without a tag.
        scaled: Apply scale and offset tags.

    Missing pixels become the mean of their band before it is resized.

    Raises:
        DataError: A band is missing, or the dtypes or tags differ.
    """
    missing = [band for band in bands if band not in files]
    if missing:
        raise DataError(
            f'band {", ".join(missing)} is missing', where=where, fix='Download it again'
        )
    planes, founds = zip(
        *(read_raster(files[band], (band,), nodata=nodata, scaled=scaled) for band in bands),
        strict=True,
    )
    check_tags(founds, [files[band] for band in bands])
    dtypes = {band: plane.dtype for band, plane in zip(bands, planes, strict=True)}
    if len(set(dtypes.values())) > 1:
        raise _mixed(dtypes, where)
    filled = [
        fill_missing(plane, found.get('missing'))
        for plane, found in zip(planes, founds, strict=True)
    ]
    return np.stack([to_grid(plane, size, resample) for plane in filled], axis=-1)


def to_grid(plane: np.ndarray, size: int, resample: str = 'auto') -> np.ndarray:
    """Resize a band (H, W[, 1]) to (size, size), dtype unchanged."""
    plane = plane.reshape(plane.shape[:2])
    if plane.shape == (size, size):
        return plane
    shrinks = resample == 'auto' and min(plane.shape) > size
    mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    exact = plane.dtype.name in ('uint8', 'uint16', 'int16', 'float32', 'float64')
    resized = cv2.resize(
        plane if exact else plane.astype(np.float64), (size, size), interpolation=mode
    )
    return resized if exact else np.rint(resized).astype(plane.dtype)


def _mixed(dtypes: dict[str, np.dtype], where: str | Path) -> DataError:
    kinds = ', '.join(f'{name} {dtype}' for name, dtype in dtypes.items())
    return DataError(
        f'dtypes differ ({kinds}), so their values are on different scales',
        where=where,
        fix='Do not mix uint8 and uint16 archives under one root',
    )
