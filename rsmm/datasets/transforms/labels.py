"""Label maps: class indices, exact colours and change masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.errors import DataError
from rsmm.geo.raster import opened, read_raster
from rsmm.registry import TRANSFORMS

#: Label of pixels that do not count.
IGNORE = 255


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """Load a class map as indices, from index or colour files.

    Required Keys:

    - label_path (str)
    - classes (int): number of classes, 0..classes-1
    - palette (sequence of RGB, optional): colours of the classes, for colour files
    - label_offset (int, optional): subtracted from stored indices; what falls below 0 is ignored
    - label_void (sequence of int, optional): classes that do not count
    - img_shape, window (optional): what the label must fit

    Added Keys:

    - gt_seg_map (np.ndarray): (H, W) uint8, 255 where pixels do not count
    - seg_fields (list): with ``'gt_seg_map'``

    Raises:
        DataError: A value or colour that is no class, or a size unlike the image's.
    """

    def transform(self, results: dict) -> dict:
        """Read the label that ``results`` names."""
        path = results['label_path']
        values, _ = read_raster(path, window=results.get('window'), palette='index')
        if values.shape[2] >= 3:
            palette = results.get('palette')
            if palette is None:
                raise DataError('holds colours, but the dataset has no palette', where=path)
            label = colours_to_index(values[..., :3], palette, path)
        else:
            label = check_classes(values[..., 0], results, path)
        label = np.where(np.isin(label, results.get('label_void', ())), np.uint8(IGNORE), label)
        check_label_size(label.shape, results.get('img_shape'), path)
        results['gt_seg_map'] = label
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return 'LoadLabelMap()'


def check_classes(values: np.ndarray, about: dict, path: str | Path) -> np.ndarray:
    """Return stored indices as classes (uint8); see :class:`LoadLabelMap` for ``about``.

    Raises:
        DataError: A value that is no class.
    """
    offset, classes = about.get('label_offset', 0), about['classes']
    with np.errstate(invalid='ignore'):  # NaN is named below
        shifted = values.astype(np.int64) - offset
    missing = (values == IGNORE) | (shifted < 0) & (offset > 0)
    wrong = ~missing & ((shifted < 0) | (shifted >= classes) | (shifted + offset != values))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f'label {values[row, column]} at row {row}, column {column} is outside '
            f'{offset}..{offset + classes - 1}',
            where=path,
            fix='Use the labels of this dataset, or the right number of classes',
        )
    return np.where(missing, IGNORE, shifted).astype(np.uint8)


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


def change_mask(
    values: np.ndarray,
    encoding: str = 'auto',
    threshold: int = 127,
    where: str | Path | None = None,
) -> np.ndarray:
    """Return where a whole change map says change, in any encoding that occurs.

    Known are 0/255 in gray, RGB or RGBA, also with gray levels between (a resampled map, cut at
    ``threshold``), 0/1, and OSCD's 1/2 with 2 for change.

    Args:
        values: (H, W) or (H, W, C) of the whole map; a part may not show which encoding it is in.
        encoding: ``'auto'``, or ``'1/2'`` for a map that may hold 1 alone.
        threshold: Gray levels above it are change. The release of SeCo uses 0.
        where: File to name in errors.

    Returns:
        (H, W) bool.

    Raises:
        DataError: Values of no known encoding.
    """
    gray = values if values.ndim == 2 else values[..., : 1 if values.shape[2] < 3 else 3].max(2)
    low, high = gray.min(), gray.max()
    if encoding == '1/2' or (low, high) == (1, 2):
        if low < 1 or high > 2:
            raise _no_encoding(gray, '1 (no change) and 2 (change)', where)
        return gray == 2
    if high <= 1:
        return gray > 0
    if high == 255:
        return gray > threshold
    raise _no_encoding(gray, '0/255, 0/1 or 1/2', where)


def _no_encoding(gray: np.ndarray, expected: str, where: str | Path | None) -> DataError:
    found = ', '.join(str(value) for value in np.unique(gray)[:8].tolist())
    return DataError(f'expected a change map of {expected}, found values {found}', where=where)


def read_change_mask(path: str | Path, encoding: str = 'auto', threshold: int = 127) -> np.ndarray:
    """Read a change map as bool (H, W); see :func:`change_mask`."""
    values = read_raster(path, palette='index')[0]
    grays = _gray_palette(path) if values.shape[2] == 1 else None
    if grays is not None:
        values = grays[values]
    return change_mask(values, encoding, threshold, path)


def _gray_palette(path: str | Path) -> np.ndarray | None:
    """Gray level (256,) of each index of a palette image, None for other images.

    Programs that reduce colours number them as they come, so index 0 may be white. A palette with
    colours says nothing about change; its indices are taken as they are.
    """
    with opened(path, sidecars=False) as source:
        if source.colorinterp[0].name != 'palette':
            return None
        table = np.zeros((256, 3), np.uint8)
        for index, colour in source.colormap(1).items():
            table[index] = colour[:3]
    return table[:, 0] if (table == table[:, :1]).all() else None


def check_label_size(found: Sequence[int], shape: Sequence[int] | None, path: str | Path) -> None:
    """Raise :class:`DataError` unless a label's (H, W) is that of its image."""
    if shape is not None and tuple(found) != tuple(shape):
        larger = any(a > b for a, b in zip(found, shape, strict=True))
        raise DataError(
            f'the label has {found[0]}x{found[1]} pixels, '
            f'{"more than" if larger else "unlike"} the image with {shape[0]}x{shape[1]}',
            where=path,
            fix='Use the label that belongs to this image',
        )
