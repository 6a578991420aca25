"""Change maps in the encodings that occur; what could mean two things is refused, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from rsmm.errors import ConfigError, DataError
from rsmm.geo.label_raster import LabelRaster, grey_levels, read_label

#: Label of pixels that do not count.
IGNORE = 255
#: Stored value to 0 (same), 1 (change) or 255 (does not count), by the name of the encoding.
ENCODINGS: dict[str, dict[int, int]] = {
    '0/1': {0: 0, 1: 1},
    '1/2': {1: 0, 2: 1},
    '0/255': {0: 0, 255: 1},
    '0/1/255': {0: 0, 1: 1, 255: IGNORE},
    '1/2/255': {1: 0, 2: 1, 255: IGNORE},
}
_FIX = (
    f'Say what its values mean: encoding= one of {", ".join(map(repr, ENCODINGS))}, or a mapping '
    'such as {0: 0, 128: 255, 255: 1} to 0 (same), 1 (change) and 255 (does not count)'
)
#: Grey levels nearer to black or white than this may be noise of compression.
_NOISE = 16


def change_map(
    values: np.ndarray,
    encoding: str | Mapping[int, int] = 'auto',
    threshold: float = 127,
    where: str | Path | None = None,
    missing: np.ndarray | None = None,
) -> np.ndarray:
    """Return what a whole change map says: 0 same, 1 change, 255 does not count.

    ``'auto'`` knows 0/1, OSCD's 1/2, and 0/255 in grey or one colour, also with grey levels
    between (a resampled map, cut at ``threshold``). Other sets of values are refused: in 0/1/255,
    for example, 255 may mean change or pixels that do not count.

    Args:
        values: (H, W) or (H, W, 3) of the whole map; a part may not show which encoding it is in.
        encoding: ``'auto'``, a name in :data:`ENCODINGS`, or a mapping of every value.
        threshold: Grey levels of 0/255 above it are change. The release of SeCo uses 0.
        where: File to name in errors.
        missing: (H, W) bool, pixels that do not count.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: Values of no known encoding, or of more than one.
        ConfigError: An unknown encoding.
    """
    grey = _one_band(values, where)
    missing = np.zeros(grey.shape, bool) if missing is None else missing
    if grey.dtype.kind == 'f':
        missing = missing | ~np.isfinite(grey)
    kind = encoding if encoding != 'auto' else encoding_of(grey, missing, where)
    if kind == '0/255':
        levels = grey[~missing]
        if levels.size and (levels.min() < 0 or levels.max() > 255):
            raise _unknown(levels, kind, where)
        label = (np.where(missing, 0, grey) > threshold).astype(np.uint8)
    else:
        label = _mapped(grey, missing, kind, where)
    label[missing] = IGNORE
    return label


def encoding_of(
    grey: np.ndarray, missing: np.ndarray, where: str | Path | None = None
) -> str | None:
    """Return the encoding of a whole map (H, W), None where nothing in it tells.

    Raises:
        DataError: Its values fit none, or more than one.
    """
    levels = np.unique(grey[~missing])
    found = set(levels[:300].tolist())
    if found <= {0}:
        return None
    if found == {0, 1}:
        return '0/1'
    if found == {1, 2}:
        return '1/2'
    # All is change, and the file has a marker: it may be 0, and no change be meant by it.
    if found <= {0, 255} and not (found == {255} and missing.any()):
        return '0/255'
    if (
        len(found) > 1
        and levels[0] >= 0
        and levels[-1] == 255
        and _resampled(grey, levels, missing)
    ):
        return '0/255'
    raise _unknown(levels, '0/255, 0/1 or 1/2', where)


def _resampled(grey: np.ndarray, levels: np.ndarray, missing: np.ndarray) -> bool:
    """Whether the levels between 0 and 255 are edges of a resampled map and no value of its own.

    Interpolation and compression leave many levels along edges; a value that means something is
    one of few, or fills areas.
    """
    between = levels[(levels > 0) & (levels < 255)]
    if len(between) < 2 or between[-1] <= _NOISE:
        return False
    inner = ~missing & (grey > _NOISE) & (grey < 255 - _NOISE)
    flat = (ndimage.maximum_filter(grey, 3) == ndimage.minimum_filter(grey, 3)) & inner
    # At the border the filters see a pixel twice.
    return not flat[1:-1, 1:-1].any()


def _one_band(values: np.ndarray, where: str | Path | None) -> np.ndarray:
    """Bring a map to one band; colours must be greys, or one colour on black."""
    if values.ndim == 2:
        return values
    if values.shape[2] == 1:
        return values[..., 0]
    grey = values[..., :3].max(axis=2)
    if (values[..., :3].min(axis=2) == grey).all():
        return grey
    drawn = np.unique(values[..., :3][grey > 0], axis=0)
    if len(drawn) > 1:
        shown = ', '.join(str(tuple(colour)) for colour in drawn[:4].tolist())
        raise DataError(
            f'expected a change map in greys or one colour, found {shown}',
            where=where,
            fix='Write it as one band of 0 and 255',
        )
    return np.where(grey > 0, 255, 0).astype(np.uint8)


def _mapped(
    grey: np.ndarray,
    missing: np.ndarray,
    encoding: str | Mapping[int, int] | None,
    where: str | Path | None,
) -> np.ndarray:
    table = encoding_table(encoding)
    label = np.full(grey.shape, IGNORE, np.uint8)
    known = missing.copy()
    for stored, meaning in table.items():
        found = grey == stored
        label[found] = meaning
        known |= found
    if not known.all():
        shown = encoding if isinstance(encoding, str) else ', '.join(map(str, table))
        raise _unknown(grey[~missing], shown, where)
    return label


def encoding_table(encoding: str | Mapping | None) -> dict[float, int]:
    """Return what each stored value means; None knows 0 alone.

    Raises:
        ConfigError: No such encoding, or a meaning other than 0, 1 and 255.
    """
    if encoding is None:
        return {0: 0}
    table: Any = ENCODINGS.get(encoding) if isinstance(encoding, str) else encoding
    try:
        # Keys of a config read from JSON or YAML are texts.
        table = {float(stored): int(meaning) for stored, meaning in table.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f'encoding={encoding!r}', fix=_FIX) from error
    if not set(table.values()) <= {0, 1, IGNORE}:
        raise ConfigError(f'encoding={encoding!r}: meanings are 0, 1 and 255', fix=_FIX)
    return table


def _unknown(grey: np.ndarray, expected: str, where: str | Path | None) -> DataError:
    levels = np.unique(grey)
    found = ', '.join(str(value) for value in levels[:8].tolist())
    more = f', ... {levels[-1]}' if len(levels) > 8 else ''
    return DataError(
        f'expected a change map of {expected}, found values {found}{more}', where=where, fix=_FIX
    )


def read_change_map(
    path: str | Path, encoding: str | Mapping[int, int] = 'auto', threshold: float = 127
) -> tuple[np.ndarray, LabelRaster, str | None]:
    """Read a change map; see :func:`change_map`.

    Returns:
        (H, W) uint8 of 0, 1 and 255, the label as it is stored (with its place), and the encoding
        that ``'auto'`` found, None where it was given or nothing tells.
    """
    label = grey_levels(read_label(path))
    found = None
    if encoding == 'auto':
        encoding = found = encoding_of(_one_band(label.values, path), label.missing, path)
    values = label.values
    if encoding is None:  # nothing but 0
        encoding = '0/1'
    return change_map(values, encoding, threshold, path, label.missing), label, found
