"""Which bands a file has: what it says of itself, held against what is declared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.sensors import RGB_CAMERA, SENSORS, canonical_band

_KNOWN_BANDS = frozenset(name for sensor in SENSORS.values() for name in sensor.band_names)


def declared_bands(
    count: int,
    dtype: np.dtype | str,
    descriptions: Sequence[str | None],
    order: Sequence[str] | None,
    path: str | Path,
) -> tuple[str, ...]:
    """Return the names of a file's bands, after checking the declared ones against the file.

    Args:
        count: Number of bands in the file.
        dtype: Stored dtype.
        descriptions: Band descriptions in the file, None where a band has none.
        order: Declared names, or None.
        path: File to name in errors.

    Raises:
        DataError: Another number of bands than declared, or the file names them in another order.
    """
    in_file = described_bands(descriptions)
    if order is None:
        if in_file is not None:
            return in_file
        if count == 3 and np.dtype(dtype) == np.uint8:
            return RGB_CAMERA.band_names
        return tuple(f'BAND{number}' for number in range(1, count + 1))
    order = tuple(order)
    if count != len(order):
        raise DataError(
            f'expected {len(order)} bands ({_short(order)}), found {count}',
            where=path,
            fix='Declare the bands that the file has, or download it again',
        )
    if in_file is not None and in_file != order:
        raise DataError(
            f'the file names its bands {", ".join(in_file)}, '
            f'the dataset declares {", ".join(order)}',
            where=path,
            fix='Write the bands in the declared order, or declare the order of the file',
        )
    return order


def described_bands(descriptions: Sequence[str | None]) -> tuple[str, ...] | None:
    """Return canonical band names from GeoTIFF band descriptions.

    None unless every band is described by a name that ``rsmm.sensors`` knows; text after the name
    (``'B04 (664.6 nm)'``) is ignored.
    """
    names = []
    for description in descriptions:
        word = re.match(r'\w+', (description or '').strip())
        name = canonical_band(word[0].split('_')[0]) if word else None
        if name not in _KNOWN_BANDS:
            return None
        names.append(name)
    return tuple(names) or None


def _short(bands: Sequence[str]) -> str:
    return ', '.join(bands) if len(bands) <= 4 else f'{bands[0]}..{bands[-1]}'
