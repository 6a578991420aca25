"""Which bands a file has: what it says of itself, held against what is declared and asked for."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rsmm.errors import DataError
from rsmm.sensors import SENSORS, canonical_band

_KNOWN_BANDS = frozenset(name for sensor in SENSORS.values() for name in sensor.band_names)
#: Spellings of files, without blanks and signs, to the name used here.
_SPELLINGS = {
    'RED': 'R',
    'GREEN': 'G',
    'BLUE': 'B',
    'ALPHA': 'A',
    'A': 'A',
    'NIR': 'NIR',
    'NIR1': 'NIR',
    'NEARINFRARED': 'NIR',
    'NIR2': 'NIR2',
    'REDEDGE': 'REDEDGE',
    'COASTAL': 'COASTAL',
    'COASTALBLUE': 'COASTAL',
    'COASTALAEROSOL': 'COASTAL',
    'YELLOW': 'YELLOW',
    'PAN': 'PAN',
    'PANCHROMATIC': 'PAN',
    'CIRRUS': 'CIRRUS',
    'SWIR16': 'SWIR16',
    'SWIR22': 'SWIR22',
    'VV': 'VV',
    'VH': 'VH',
    'HH': 'HH',
    'HV': 'HV',
}
#: Bands of a satellite that stand for a colour of a camera, and the other way round.
_COLOUR_OF = {
    band.name: _SPELLINGS[band.common_name.upper()]
    for band in SENSORS['sentinel-2'].bands
    if band.common_name in ('red', 'green', 'blue', 'nir')
}
ALPHA = 'A'


class FileBands(NamedTuple):
    """What a file says of its bands.

    Attributes:
        descriptions: Text per band, None or empty where there is none.
        colours: Colour interpretation per band as GDAL spells it (``'red'``, ``'alpha'``).
        automatic: Whether three or four bands would be called red, green and blue whatever they
            hold, as GDAL does with new 8-bit GeoTIFFs.
    """

    descriptions: tuple[str | None, ...]
    colours: tuple[str, ...]
    automatic: bool = False

    @property
    def alpha(self) -> int | None:
        """Position of the band that the file calls alpha."""
        described = [_word(text) for text in self.descriptions]
        for index, colour in enumerate(self.colours):
            if colour == 'alpha' and described[index] in (None, ALPHA):
                return index
        return described.index(ALPHA) if ALPHA in described else None


@functools.lru_cache(maxsize=256)
def chosen_bands(
    file: FileBands,
    order: tuple[str, ...] | None,
    bands: tuple[str, ...] | None,
    assume: tuple[str, ...] | None,
) -> tuple[tuple[str, ...], list[int], int | None]:
    """:func:`select_bands` of which the last choices are kept: files of a set are alike.

    Returns:
        Names, positions and the position of alpha.
    """
    return *select_bands(file, '', order, bands, assume), file.alpha


def select_bands(
    file: FileBands,
    path: str | Path,
    order: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    assume: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], list[int]]:
    """Return the names of the bands to read and their positions in the file.

    Args:
        file: What the file says.
        path: File to name in errors.
        order: Declared names of all bands of the file; what the file says must agree.
        bands: Names to read, in this order; None reads those assumed, else all.
        assume: Names by position for a file that does not name its bands.

    Raises:
        DataError: Another number of bands than declared, the file names them in another order, or
            a band asked for is not there.
    """
    count = len(file.colours)
    if bands is None and assume is not None:
        bands = [name for name in assume if name != ALPHA]
    if order is not None:
        order = tuple(order)
        places = _declared_places(file, order, path)
        _check_declared(file, order, places, path)
        names = order
    else:
        names, places = _own_names(file), list(range(count))
        if assume is not None:
            names, places = _assumed(file, names, tuple(assume), bands, path)
    if bands is None:
        return names, places
    index = _look_up(names, bands, path)
    return tuple(canonical_band(band) for band in bands), [places[i] for i in index]


def declared_bands(
    count: int,
    dtype: np.dtype | str,
    descriptions: Sequence[str | None],
    order: Sequence[str] | None,
    path: str | Path,
) -> tuple[str, ...]:
    """Return the names of a file's bands from its descriptions and the declared ones.

    Three 8-bit bands without either are red, green and blue, others are counted.

    Args:
        count: Number of bands in the file.
        dtype: Stored dtype.
        descriptions: Band descriptions in the file, None where a band has none.
        order: Declared names, or None.
        path: File to name in errors.

    Raises:
        DataError: Another number of bands than declared, or the file names them in another order.
    """
    colour = count == 3 and np.dtype(dtype) == np.uint8
    colours = ('red', 'green', 'blue') if colour else ('undefined',) * count
    texts = tuple(descriptions) or (None,) * count
    return select_bands(FileBands(texts, colours, automatic=True), path, order)[0]


def described_bands(descriptions: Sequence[str | None]) -> tuple[str, ...] | None:
    """Return canonical band names from GeoTIFF band descriptions.

    None unless every band is described by a name that is known here; text after the name
    (``'B04 (664.6 nm)'``) is ignored.
    """
    names = [_word(description) for description in descriptions]
    known = tuple(name for name in names if name is not None)
    return known if known and len(known) == len(names) else None


def same_band(name: str) -> str:
    """Return what bands of a camera and of a satellite that see the same colour share."""
    name = canonical_band(name)
    return _COLOUR_OF.get(name, name)


def _word(description: str | None) -> str | None:
    """Known band that a description names, None for other texts."""
    text = (description or '').strip()
    whole = re.sub(r'[\W_]+', '', text).upper()
    if whole in _SPELLINGS:
        return _SPELLINGS[whole]
    word = re.match(r'\w+', text)
    if word is None:
        return None
    first = word[0].split('_')[0]
    name = canonical_band(first)
    return name if name in _KNOWN_BANDS else _SPELLINGS.get(first.upper())


def _own_names(file: FileBands) -> tuple[str, ...]:
    """Names of all bands: from the descriptions, else the colours, else counted."""
    described = [_word(text) for text in file.descriptions]
    coloured = _colour_names(file)
    names = []
    for number, (text, colour) in enumerate(zip(described, coloured, strict=True), start=1):
        names.append(text or colour or f'BAND{number}')
    return tuple(names) if len(set(names)) == len(names) else _counted(len(names))


def _counted(count: int) -> tuple[str, ...]:
    return tuple(f'BAND{number}' for number in range(1, count + 1))


def _colour_names(file: FileBands) -> list[str | None]:
    """Names that the colour interpretation gives; none beside descriptions that say otherwise."""
    if any(_word(text) for text in file.descriptions):
        return [None] * len(file.colours)
    return [_SPELLINGS.get(colour.upper()) for colour in file.colours]


def _declared_places(file: FileBands, order: tuple[str, ...], path: str | Path) -> list[int]:
    """Positions of the declared bands: all, or all but alpha."""
    count, alpha = len(file.colours), file.alpha
    if len(order) == count:
        return list(range(count))
    if alpha is not None and len(order) == count - 1:
        return [index for index in range(count) if index != alpha]
    if order[-1:] == (ALPHA,) and len(order) == count + 1:
        return list(range(count))  # as a rule there is alpha, here there is none
    raise DataError(
        f'expected {len(order)} bands ({_short(order)}), found {count}',
        where=path,
        fix='Declare the bands that the file has, or download it again',
    )


def _check_declared(
    file: FileBands, order: tuple[str, ...], places: list[int], path: str | Path
) -> None:
    """Refuse a declaration that the file contradicts."""
    described = [_word(file.descriptions[place]) for place in places]
    found = described
    if not any(described) and not file.automatic:
        found = [_colour_names(file)[place] for place in places]
        # Colours are roles on the screen, too: another composite than R, G, B says nothing.
        if {same_band(name) for name in order} != {name for name in found if name}:
            return
    keys = [same_band(name) for name in order]
    for own, declared in zip(found, keys, strict=True):
        if own is None or same_band(own) == declared:
            continue
        if None in found and same_band(own) not in keys:
            continue
        raise DataError(
            f'the file names its bands {", ".join(name or "?" for name in found)}, '
            f'the dataset declares {", ".join(order)}',
            where=path,
            fix='Write the bands in the declared order, or declare the order of the file',
        )


def _assumed(
    file: FileBands,
    own: tuple[str, ...],
    assume: tuple[str, ...],
    bands: Sequence[str] | None,
    path: str | Path,
) -> tuple[tuple[str, ...], list[int]]:
    """Names and positions where the caller says what an unnamed file holds."""
    count, alpha = len(own), file.alpha
    everything = list(range(count))
    named = {same_band(name) for name in own}
    wanted = [same_band(name) for name in bands or assume]
    if any(_word(text) for text in file.descriptions) and named & set(wanted):
        return own, everything
    if described_bands(file.descriptions) is not None:
        return own, everything  # the bands asked for are not there: say so
    shadowed = alpha is not None and len(assume) == count and assume[alpha] != ALPHA
    if set(wanted) <= named and not (shadowed and file.automatic):
        places = [own.index(name) for name in own if name != ALPHA]
        in_order = [same_band(own[place]) for place in places] == [same_band(n) for n in assume]
        if in_order or not file.automatic or len(assume) != len(places):
            return own, everything
        raise DataError(
            f'its colour interpretation says {", ".join(own)}, asked for are {", ".join(assume)}: '
            'which band is which cannot be told',
            where=path,
            fix='Write band descriptions into the file, or declare its order (order=, --bands)',
        )
    return assume, _declared_places(file, assume, path)


def _look_up(names: tuple[str, ...], bands: Sequence[str], path: str | Path) -> list[int]:
    """Positions of the bands asked for; colours of a camera and of a satellite are the same."""
    exact = {canonical_band(name): index for index, name in enumerate(names)}
    alike = {same_band(name): index for index, name in enumerate(names)}
    places = [exact.get(canonical_band(band), alike.get(same_band(band))) for band in bands]
    absent = [band for band, place in zip(bands, places, strict=True) if place is None]
    if absent:
        raise DataError(
            f'band {", ".join(absent)} not among {", ".join(names)}',
            where=path,
            fix='Ask for bands that the file has, or declare the names of its bands in their order',
        )
    return [place for place in places if place is not None]


def _short(bands: Sequence[str]) -> str:
    return ', '.join(bands) if len(bands) <= 4 else f'{bands[0]}..{bands[-1]}'
