"""Label maps: class indices and exact colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.errors import DataError
from rsmm.geo.label_raster import (
    LabelRaster,
    check_label_place,
    check_label_size,
    grey_levels,
    read_label,
)
from rsmm.geo.vector_labels import burn_labels, is_vector
from rsmm.registry import TRANSFORMS

#: Label of pixels that do not count.
IGNORE = 255


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """Load a class map as indices, from index or colour files.

    Required Keys:

    - label_path (str, or None: an image to predict, it gets no map)
    - classes (int): number of classes, 0..classes-1
    - palette (sequence of RGB, optional): colours of the classes, for colour files
    - label_offset (int, optional): subtracted from stored indices; what falls below 0 is ignored
    - label_void (sequence of int, optional): classes that do not count
    - img_shape, window (optional): what the label must fit
    - crs, transform (optional): place of the image, which that of the label must be
    - label_field, label_outside (optional): of polygons, see
      :func:`rsmm.geo.vector_labels.burn_labels`

    Added Keys:

    - gt_seg_map (np.ndarray): (H, W) uint8, 255 where pixels do not count
    - seg_fields (list): with ``'gt_seg_map'``

    Raises:
        DataError: A value or colour that is no class, or a size or place unlike the image's.
    """

    def transform(self, results: dict) -> dict:
        """Read the label that ``results`` names."""
        path = results['label_path']
        if path is None:
            return results
        stored = _stored(path, results)
        check_label_size(stored.shape, results.get('img_shape'), path)
        check_label_place(stored, results, results.get('img_shape', stored.shape), path)
        label = class_map(stored, results, path)
        results['gt_seg_map'] = label
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return 'LoadLabelMap()'


def _stored(path: str, results: dict) -> LabelRaster:
    """Read a label raster, or burn polygons to the grid of the image."""
    if not is_vector(path):
        return read_label(path, results.get('window'))
    if 'img_shape' not in results:
        raise DataError('polygons need the image first', where=path, fix='Load the image before')
    return burn_labels(
        path,
        results,
        results['img_shape'],
        results.get('label_field'),
        results.get('label_names', ()),
        results.get('label_outside', 0),
        results.get('label_offset', 0),
        bool(results.get('label_shared', False)),
    )


def class_map(label: LabelRaster, about: dict, path: str | Path) -> np.ndarray:
    """Return a label as classes, (H, W) uint8 with 255 where pixels do not count.

    Colours are looked up in the palette of the dataset. A palette file is read by its colours where
    these are classes of the dataset or greys that are, else by its indices.

    Args:
        label: As it is stored.
        about: ``classes``, ``palette``, ``label_offset`` and ``label_void``, see
            :class:`LoadLabelMap`.
        path: File to name in errors.

    Raises:
        DataError: A value or colour that is no class.
    """
    palette = about.get('palette')
    label = _by_colour(label, about, path)
    if label.values.ndim == 3:
        if palette is None:
            raise DataError('holds colours, but the dataset has no palette', where=path)
        colours = np.where(label.missing[..., None], np.asarray(palette[0]), label.values)
        classes = colours_to_index(colours, palette, path)
        classes[label.missing] = IGNORE
    else:
        classes = check_classes(label.values, about, path, label.missing)
    classes[np.isin(classes, about.get('label_void', ()))] = IGNORE
    return classes


def _by_colour(label: LabelRaster, about: dict, path: str | Path) -> LabelRaster:
    """Look up the colours of a palette file where they say more than its indices."""
    used = np.unique(label.values[~label.missing])
    if label.colours is None or not used.size:
        return label
    colours = label.colours[used, :3]
    known = {tuple(colour) for colour in np.asarray(about.get('palette') or [], int).tolist()}
    if len(used) > 1 and {tuple(colour) for colour in colours.tolist()} <= known:
        return label._replace(values=label.colours[label.values, :3], colours=None)
    grey = grey_levels(label._replace(values=used))
    if grey.colours is None:
        try:
            check_classes(grey.values[None], about, path)
        except DataError:  # greys to look at
            return label
        return grey._replace(values=label.colours[label.values, 0])
    return label


def check_classes(
    values: np.ndarray, about: dict, path: str | Path, missing: np.ndarray | None = None
) -> np.ndarray:
    """Return stored indices as classes, (H, W) uint8 with 255 where pixels do not count.

    Args:
        values: (H, W) of any dtype; 255, NaN and infinity do not count.
        about: ``classes`` and ``label_offset``, see :class:`LoadLabelMap`.
        path: File to name in errors.
        missing: (H, W) bool, other pixels that do not count.

    Raises:
        DataError: A value that is no class; names the first and its place.
    """
    offset, classes = about.get('label_offset', 0), about['classes']
    below = np.isin(values, np.arange(offset))
    ignored = (values == IGNORE) | below
    if values.dtype.kind == 'f':
        ignored |= ~np.isfinite(values)
    if missing is not None:
        ignored |= missing
    # Compare before shifting: unsigned and 64-bit values would wrap round.
    wrong = ~ignored & ((values < offset) | (values >= offset + classes) | (values % 1 != 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f'label {values[row, column]} at row {row}, column {column} is outside '
            f'{offset}..{offset + classes - 1}',
            where=path,
            fix='Use the labels of this dataset, or the right number of classes',
        )
    shifted = np.where(ignored, offset, values).astype(np.int64) - offset
    return np.where(ignored, IGNORE, shifted).astype(np.uint8)


def colours_to_index(
    colours: np.ndarray, palette: Sequence[Sequence[int]], where: str | Path | None = None
) -> np.ndarray:
    """Turn colours into the position of exactly that colour in a palette.

    Args:
        colours: (H, W, 3) uint8.
        palette: One (R, G, B) per class.
        where: File to name in the error.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: A colour that is not in the palette; names it, its place and the nearest one.
    """
    table = np.asarray(palette, np.int64)
    keys = table @ (65536, 256, 1)
    order = np.argsort(keys)
    packed = colours.astype(np.int64) @ (65536, 256, 1)
    position = np.clip(np.searchsorted(keys[order], packed), 0, len(keys) - 1)
    index = order[position]
    unknown = keys[index] != packed
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        colour = colours[row, column].astype(np.int64)
        near = np.abs(table - colour).sum(axis=1).argmin()
        raise DataError(
            f'colour {tuple(colour.tolist())} at row {row}, column {column} is not in the palette '
            f'({np.count_nonzero(unknown)} pixels); the nearest is {tuple(table[near].tolist())}, '
            f'class {near}',
            where=where,
            fix='Use the published labels; JPEG and resampling with interpolation change colours',
        )
    return index.astype(np.uint8)


def index_to_colours(index: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the colours (H, W, 3) uint8 of classes; 255 and other unknown classes are white."""
    table = np.full((256, 3), 255, np.uint8)
    table[: len(palette)] = palette
    return table[index]
