"""Two images of one place: loading them on one grid, own photometry, swapping them in time."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence

import numpy as np
from affine import Affine
from mmcv.transforms import BaseTransform, Compose

from rsmm.datasets.transforms.change_labels import IGNORE, read_change_map
from rsmm.datasets.transforms.dates import TOLERANCE, fit_date, misfit, read_date
from rsmm.datasets.transforms.gaps import MISSING, keep_missing, missing_of
from rsmm.errors import ConfigError, DataError
from rsmm.geo.label_raster import check_label_place, check_label_size
from rsmm.geo.rasterize import ONE_GRID, check_same_place
from rsmm.geo.tags import check_tags
from rsmm.geo.vector_labels import burn_labels, is_vector
from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPair(BaseTransform):
    """Load two dates of a place and the change between them on one grid.

    A date is one file, or one file per band in several sizes (Sentinel-2's 10, 20 and 60 m), which
    are brought to the finest grid bilinearly by their georeference, else by their extent.

    Required Keys:

    - date_files (list of two): a path, or a mapping of band name to path
    - bands (tuple[str], optional): bands wanted, needed for one file per band
    - label_path, label_encoding (optional): the change map, see
      :func:`rsmm.datasets.transforms.change_labels.change_map`, or polygons of what changed
    - file_nodata (float, optional): value of missing pixels in files without a tag
    - window (optional): row, column, height, width; cut at the lower and right border
    - resample (bool, optional): bring dates of slightly different size to one grid

    Added Keys:

    - img (np.ndarray): (H, W, 2, C), stored dtype or that of ``scale``
    - gt_seg_map (np.ndarray): (H, W) uint8, 0, 1, and 255 where the label is missing or a date has
      no data
    - missing (np.ndarray): (H, W, 2) uint8, not 0 where a date has no data, which ``img`` has as
      the mean of the band; absent where none is missing
    - img_path, img_paths, bands, img_shape, ori_shape, crs, transform, nodata, seg_fields

    Args:
        scale: Transform applied once to each whole date, e.g. ``dict(type='ScaleQuantile',
            out='uint8')``; statistics then are those of the scene and not of a tile.
        threshold: Gray levels of the change map above it are change.
        cache: Scenes kept in memory per process; tiles of one scene then read it once.
        nodata: Value of missing pixels in files without a nodata tag, where the dataset says none.
        scaled: Apply the scale and offset tags of the files, which may then differ.

    Raises:
        DataError: The dates or the label differ in size, coordinate system or place, a date is
            nodata or NaN throughout, or a file is broken.
    """

    def __init__(
        self,
        scale: Mapping | None = None,
        threshold: int = 127,
        cache: int = 32,
        nodata: float | None = None,
        scaled: bool = False,
    ) -> None:
        self.nodata, self.scaled = nodata, scaled
        self.scale = None if scale is None else json.dumps(scale)
        self.threshold = threshold
        self._read = functools.lru_cache(maxsize=cache)(_read_scene)
        self.cache = cache

    def __getstate__(self) -> dict:
        state = self.__dict__.copy()
        del state['_read']
        return state

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._read = functools.lru_cache(maxsize=self.cache)(_read_scene)

    def transform(self, results: dict) -> dict:
        """Read the pair and the label that ``results`` names."""
        files = tuple(
            tuple(sorted(date.items())) if isinstance(date, Mapping) else str(date)
            for date in results['date_files']
        )
        wanted = results.get('bands')
        image, label, found = self._read(
            files,
            None if wanted is None else tuple(wanted),
            results.get('label_path'),
            json.dumps(results.get('label_encoding', 'auto')),
            self.threshold,
            self.scale,
            bool(results.get('resample', False)),
            self.nodata if results.get('file_nodata') is None else results['file_nodata'],
            self.scaled,
        )
        self._check_kind(found['label_kind'], results.get('label_path'))
        missing = found['missing']
        results.update({key: found[key] for key in found.keys() - {'label_kind', 'missing'}})
        if results.get('window') is not None:
            row, column, height, width = results['window']
            part = slice(row, row + height), slice(column, column + width)
            image, label = image[part], None if label is None else label[part]
            missing = None if missing is None else missing[part]
            if found['transform'] is not None:
                shifted = Affine(*found['transform']) * Affine.translation(column, row)
                results['transform'] = tuple(shifted)[:6]
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        if label is not None:
            results['gt_seg_map'] = label
            results.setdefault('seg_fields', []).append('gt_seg_map')
        return keep_missing(results, missing)

    def _check_kind(self, kind: str | None, path: str | None) -> None:
        """Refuse a set of maps in several encodings: in some of them a value means something else.

        A set of 0, 1 and 255 (does not count) has maps that hold 0 and 1 alone, and 0 and 255.
        """
        if kind is None:
            return
        first, first_path = self._kind = getattr(self, '_kind', None) or (kind, path)
        if kind != first:
            raise DataError(
                f'is a change map of {kind}, but {first_path} of the same set is one of {first}',
                where=path,
                fix='Say which holds for all with encoding=, such as 0/1/255',
            )

    def __repr__(self) -> str:
        return f'LoadPair(scale={self.scale}, threshold={self.threshold})'


def _read_scene(files, bands, label_path, encoding, threshold, scale, resample, nodata, scaled):
    """Read a whole scene; everything returned is shared by its tiles and must not be changed."""
    label = stored = kind = None
    drawn = label_path is not None and is_vector(label_path)
    if label_path is not None and not drawn:
        encoding = json.loads(encoding)
        label, stored, kind = read_change_map(label_path, encoding, threshold)
    dates, founds = zip(*(read_date(date, bands, nodata, scaled) for date in files), strict=True)
    check_tags(founds, [found['img_path'] for found in founds])
    _check_places(founds, [image.shape[:2] for image in dates], resample)
    shape = dates[0].shape[:2]
    if drawn:
        label = burn_labels(label_path, founds[0], shape).values
    elif label is not None:
        if not resample or misfit(shape, label.shape) > TOLERANCE:
            check_label_size(label.shape, shape, label_path)
        limit = TOLERANCE * max(shape) if resample else 0.5
        check_label_place(stored, founds[0], shape, label_path, limit)
        shape = label.shape
    grid = founds[0]['transform'] if dates[0].shape[:2] == shape else None
    aligned, gaps = [], []
    step = None if scale is None else TRANSFORMS.build(json.loads(scale))
    for image, found in zip(dates, founds, strict=True):
        image, missing = fit_date(image, found, shape, grid, resample)
        if missing is not None and missing.all():
            raise _without_data(found, image.dtype)
        if step is not None:
            about = {**found, 'img': image, 'seg_fields': []}
            image = step(keep_missing(about, missing))['img']
        aligned.append(image)
        gaps.append(np.zeros(shape, bool) if missing is None else missing)
    missing = np.stack(gaps, axis=2)
    if label is not None:
        label = np.where(missing.any(axis=2), IGNORE, label).astype(np.uint8)
    stack = np.stack(aligned, axis=2)
    for array in (stack, label, missing):
        if array is not None:
            array.flags.writeable = False
    first = founds[0]
    return (
        stack,
        label,
        {
            'img_path': first['img_path'],
            'img_paths': tuple(found['img_path'] for found in founds),
            'bands': first['bands'],
            'crs': first['crs'],
            'transform': first['transform'] if grid is not None else None,
            'nodata': first['nodata'] if step is None else None,
            'missing': missing if missing.any() else None,
            'label_kind': kind,
        },
    )


def _without_data(found: Mapping, dtype: np.dtype) -> DataError:
    nodata = found['nodata']
    what = 'missing'
    if nodata is not None and not np.isnan(nodata):
        what = f'nodata ({nodata:g})'
    elif dtype.kind == 'f':
        what = 'NaN'
    return DataError(f'all values are {what}', where=found['img_path'])


def _check_places(
    founds: Sequence[Mapping], shapes: Sequence[tuple[int, int]], resample: bool
) -> None:
    """Refuse dates in two coordinate systems or places; sizes are compared later."""
    first, second = founds
    if first['crs'] != second['crs']:
        raise DataError(
            f'its coordinate system differs from that of {first["img_path"]}: '
            f'{_short(second["crs"])} and {_short(first["crs"])}',
            where=second['img_path'],
            fix=ONE_GRID,
        )
    if shapes[0] == shapes[1] or resample:
        paths, transforms = zip(*((f['img_path'], f['transform']) for f in founds), strict=True)
        check_same_place(paths, transforms, shapes, TOLERANCE * max(shapes[0]) if resample else 0.5)


def _short(crs: str | None) -> str:
    return 'none' if crs is None else crs.split('"')[1] if '"' in crs else crs[:40]


@TRANSFORMS.register_module()
class PerDate(BaseTransform):
    """Run photometric transforms on each date by itself, with its own random numbers.

    Required Keys: img (H, W, T, C)

    Modified Keys: img, bands, nodata

    Args:
        transforms: Transforms of single images that keep their height and width.

    Raises:
        ConfigError: A transform changed the height or width.
    """

    def __init__(self, transforms: Sequence[dict]) -> None:
        self.transforms = Compose(
            [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in transforms]
        )

    def transform(self, results: dict) -> dict:
        """Transform each (H, W, C)."""
        image, missing = results['img'], missing_of(results)
        dates = [
            self.transforms(
                keep_missing(
                    {**results, 'img': image[:, :, date].copy(), 'seg_fields': []},
                    None if missing is None else missing[:, :, date],
                )
            )
            for date in range(image.shape[2])
        ]
        if any(date['img'].shape[:2] != image.shape[:2] for date in dates):
            raise ConfigError('a transform changed the size of a date', where='PerDate')
        results['img'] = np.stack([date['img'] for date in dates], axis=2)
        results['bands'], results['nodata'] = dates[0]['bands'], dates[0].get('nodata')
        return results

    def __repr__(self) -> str:
        return f'PerDate({self.transforms})'


@TRANSFORMS.register_module()
class SwapDates(BaseTransform):
    """Show the later date first: what changed stays what changed.

    Required Keys: img (H, W, 2, C)

    Modified Keys: img, missing, img_paths and dates (where present)

    Args:
        prob: Probability.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Swap."""
        if np.random.rand() < self.prob:
            for key in ('img', MISSING):
                if results.get(key) is not None:
                    results[key] = results[key][:, :, ::-1]
            for key in ('img_paths', 'dates'):
                if results.get(key) is not None:
                    results[key] = tuple(results[key])[::-1]
        return results

    def __repr__(self) -> str:
        return f'SwapDates(prob={self.prob})'
