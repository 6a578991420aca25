"""The one table of sensors, bands, band orders on disk and published band statistics.

Readers and transforms address bands by canonical name (``B04``, not an index). Everything that
ties a name to a position in a file stands here.

Sources: Sentinel-2 MSI wavelengths and ground sampling distances from ESA's user handbook (S2A
centre wavelengths); per-dataset orders and statistics from the dataset papers and their corrected
public tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from rsmm.errors import DataError, DataNotFoundError, did_you_mean


@dataclass(frozen=True)
class Band:
    """One spectral band.

    Attributes:
        name: Canonical name, e.g. ``'B04'``.
        wavelength: Centre wavelength in nanometres.
        gsd: Ground sampling distance in metres.
        common_name: STAC common name, e.g. ``'red'``.
    """

    name: str
    wavelength: float
    gsd: float
    common_name: str


@dataclass(frozen=True)
class Sensor:
    """A sensor and its bands in wavelength-index order (B01, B02, ...)."""

    name: str
    bands: tuple[Band, ...]

    @property
    def band_names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    def __getitem__(self, name: str) -> Band:
        canonical = canonical_band(name)
        for band in self.bands:
            if band.name == canonical:
                return band
        raise DataError(f'{self.name} has no band {name!r}; it has {", ".join(self.band_names)}')


SENTINEL2 = Sensor(
    'sentinel-2',
    (
        Band('B01', 442.7, 60, 'coastal'),
        Band('B02', 492.4, 10, 'blue'),
        Band('B03', 559.8, 10, 'green'),
        Band('B04', 664.6, 10, 'red'),
        Band('B05', 704.1, 20, 'rededge071'),
        Band('B06', 740.5, 20, 'rededge075'),
        Band('B07', 782.8, 20, 'rededge078'),
        Band('B08', 832.8, 10, 'nir'),
        Band('B8A', 864.7, 20, 'nir08'),
        Band('B09', 945.1, 60, 'nir09'),
        Band('B10', 1373.5, 60, 'cirrus'),
        Band('B11', 1613.7, 20, 'swir16'),
        Band('B12', 2202.4, 20, 'swir22'),
    ),
)
# Backscatter of the C-band radar (5.405 GHz) by polarisation, sent and received. Products of 10 m
# pixels usually hold decibels in float32: negative values, and 0 dB is a strong echo, not missing.
SENTINEL1 = Sensor(
    'sentinel-1',
    (
        Band('VV', 5.5466e7, 10, 'vv'),
        Band('VH', 5.5466e7, 10, 'vh'),
    ),
)
# Aerial photographs and screen composites: colours, not calibrated bands.
RGB_CAMERA = Sensor(
    'rgb',
    (
        Band('R', 650, float('nan'), 'red'),
        Band('G', 550, float('nan'), 'green'),
        Band('B', 450, float('nan'), 'blue'),
    ),
)
SENSORS = {sensor.name: sensor for sensor in (SENTINEL2, SENTINEL1, RGB_CAMERA)}

#: Natural-colour composite of Sentinel-2, in display order.
RGB = ('B04', 'B03', 'B02')

_S2_NATIVE = SENTINEL2.band_names
_S2_L2A = tuple(name for name in _S2_NATIVE if name != 'B10')

#: Order of the bands inside one file, or of the single-band files, per dataset or product.
BAND_ORDERS: dict[str, tuple[str, ...]] = {
    'sentinel2-l1c': _S2_NATIVE,
    'sentinel2-l2a': _S2_L2A,
    # EuroSAT's GeoTIFFs keep B8A last.
    'eurosat': (*(name for name in _S2_NATIVE if name != 'B8A'), 'B8A'),
    'eurosat-rgb': RGB,
    'sentinel1': SENTINEL1.band_names,
    'bigearthnet': _S2_L2A,
    'bigearthnet-s1': SENTINEL1.band_names,
    'seco': _S2_L2A,
    'caco': _S2_L2A,
    'oscd': _S2_NATIVE,
    'pastis': tuple(name for name in _S2_L2A if name not in ('B01', 'B09')),
    'rgb': RGB_CAMERA.band_names,
}

#: Smallest and largest stored value that a product can hold, and a maximum that no whole chip
#: stays below: Sentinel-2 digital numbers are 10,000 times the reflectance, 16 bits wide, from
#: -1,000 with the offset of processing baseline 04.00.
PRODUCT_RANGES: dict[str, tuple[float, float, float]] = {
    'sentinel-2': (-1000, 65535, 4),
}

#: Published ``(mean, standard deviation)`` per band in stored units (digital numbers, 0..255
#: for ``*-rgb``, decibels for ``*-s1``).
BAND_STATS: dict[str, dict[str, tuple[float, float]]] = {
    'eurosat': {
        'B01': (1354.40546513, 245.71762908),
        'B02': (1118.24399958, 333.00778264),
        'B03': (1042.92983953, 395.09249139),
        'B04': (947.62620298, 593.75055589),
        'B05': (1199.47283961, 566.4170017),
        'B06': (1999.79090914, 861.18399006),
        'B07': (2369.22292565, 1086.63139075),
        'B08': (2296.82608323, 1117.98170791),
        'B09': (732.08340178, 404.91978886),
        'B10': (12.11327804, 4.77584468),
        'B11': (1819.01027855, 1002.58768311),
        'B12': (1118.92391149, 761.30323499),
        'B8A': (2594.14080798, 1231.58581042),
    },
    'bigearthnet': {
        'B01': (340.76769064, 554.81258967),
        'B02': (429.9430203, 572.41639287),
        'B03': (614.21682446, 582.87945694),
        'B04': (590.23569706, 675.88746967),
        'B05': (950.68368468, 729.89827633),
        'B06': (1792.46290469, 1096.01480586),
        'B07': (2075.46795189, 1273.45393088),
        'B08': (2218.94553375, 1365.45589904),
        'B8A': (2266.46036911, 1356.13789355),
        'B09': (2246.0605464, 1302.3292881),
        'B11': (1594.42694882, 1079.19066363),
        'B12': (1009.32729131, 818.86747235),
    },
    'bigearthnet-s1': {
        'VV': (-12.619993741972035, 5.115911777546365),
        'VH': (-19.29044597721542, 5.464428464912864),
    },
    'oscd': {
        'B01': (1565.696044921875, 263.7977600097656),
        'B02': (1351.3319091796875, 394.5567321777344),
        'B03': (1257.1082763671875, 508.9673767089844),
        'B04': (1254.932861328125, 726.4053344726562),
        'B05': (1388.689208984375, 686.6111450195312),
        'B06': (1827.6710205078125, 730.0202467773438),
        'B07': (2050.2744140625, 822.0133056640625),
        'B08': (1963.4619140625, 842.5917358398438),
        'B8A': (2182.680908203125, 895.7645263671875),
        'B09': (629.837646484375, 314.8407287597656),
        'B10': (14.855598449707031, 9.417905807495117),
        'B11': (1909.8394775390625, 984.9249267578125),
        'B12': (1379.6024169921875, 844.7711181640625),
    },
    # Measured on the JPEG chips of a 21,600-chip train list, pixels pooled.
    'eurosat-rgb': {
        'B04': (87.8667, 51.6167),
        'B03': (96.9995, 34.8766),
        'B02': (104.0038, 29.4406),
    },
    # Third-party statistics of the masked images of the train AOIs.
    'spacenet7': {
        'R': (121.826, 56.717),
        'G': (106.528, 44.517),
        'B': (78.372, 40.452),
    },
    'imagenet': {
        'R': (123.675, 58.395),
        'G': (116.28, 57.12),
        'B': (103.53, 57.375),
    },
}
# Colour chips stored as JPEG carry Sentinel-2 band names but display values.
BAND_STATS['imagenet-s2'] = dict(zip(RGB, BAND_STATS['imagenet'].values(), strict=True))


def canonical_band(name: str) -> str:
    """Return the canonical spelling of a band name.

    Sentinel-2 spellings are unified (``B4``, ``b04``, ``B4.tif`` read as ``B04``; ``b8a`` as
    ``B8A``); other names are upper-cased.

    >>> canonical_band('B4'), canonical_band('b8a')
    ('B04', 'B8A')
    """
    match = re.fullmatch(r'[bB]0*(\d{1,2})([aA]?)(?:\.tiff?)?', name)
    if match is None:
        return name.upper()
    number, suffix = int(match[1]), match[2].upper()
    return f'B{number}{suffix}' if suffix else f'B{number:02d}'


def band_order(name: str) -> tuple[str, ...]:
    """Return the order in which a dataset or product stores its bands.

    Raises:
        DataError: No such order is known.
    """
    if name not in BAND_ORDERS:
        raise DataError(
            f'no band order called {name!r}.{did_you_mean(name, BAND_ORDERS)}',
            fix=f'Known orders: {", ".join(sorted(BAND_ORDERS))}',
        )
    return BAND_ORDERS[name]


def rgb_positions(
    bands: Sequence[str], *, where: str | PathLike | None = None
) -> tuple[int, int, int]:
    """Return the positions of red, green and blue in a three-band colour image.

    Raises:
        DataError: The bands are not exactly the red, green and blue of one sensor.
    """
    for sensor in SENSORS.values():
        colour = {band.common_name: band.name for band in sensor.bands}
        rgb = [colour.get(name) for name in ('red', 'green', 'blue')]
        if sorted(canonical_band(band) for band in bands) == sorted(map(str, rgb)):
            red, green, blue = band_indices(bands, rgb)
            return red, green, blue
    raise DataError(
        f'expected a colour image of three bands, found {", ".join(bands)}',
        where=where,
        fix="Put SelectBands('s2-rgb') before it, or use a transform for any band count",
    )


def resolve_bands(bands: str | Sequence[str]) -> tuple[str, ...]:
    """Return canonical names for a list of bands or the name of an order (``'eurosat'``).

    ``'s2-rgb'`` stands for the natural-colour composite.
    """
    if isinstance(bands, str):
        return RGB if bands == 's2-rgb' else band_order(bands)
    return tuple(canonical_band(band) for band in bands)


def band_indices(
    have: Sequence[str], want: Sequence[str], *, where: str | PathLike | None = None
) -> list[int]:
    """Return the positions of the wanted bands among those that a file has.

    Args:
        have: Names in file order.
        want: Names asked for, in the order asked for.
        where: File to name in the error.

    Raises:
        DataError: A wanted band is absent.
    """
    positions = {canonical_band(name): index for index, name in enumerate(have)}
    missing = [name for name in want if canonical_band(name) not in positions]
    if missing:
        raise DataError(
            f'band {", ".join(missing)} not among {", ".join(have)}',
            where=where,
            fix='Ask for bands that the file has',
        )
    return [positions[canonical_band(name)] for name in want]


def band_stats(dataset: str, bands: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return per-band means and standard deviations in stored units, published or of a file.

    Args:
        dataset: Key of :data:`BAND_STATS`, e.g. ``'eurosat'``, or a file that
            ``tools/analysis_tools/band_stats.py`` wrote.
        bands: Canonical names in the order wanted.

    Raises:
        DataError: The dataset or one of the bands has no published statistics.
    """
    table = read_stats(dataset) if dataset.endswith('.json') else BAND_STATS.get(dataset)
    if table is None:
        raise DataError(
            f'no band statistics called {dataset!r}.{did_you_mean(dataset, BAND_STATS)}',
            fix=f'Known statistics: {", ".join(sorted(BAND_STATS))}',
        )
    missing = [band for band in bands if canonical_band(band) not in table]
    if missing:
        raise DataError(
            f'no statistics of {dataset} for band {", ".join(missing)}; '
            f'there are {", ".join(table)}'
        )
    pairs = [table[canonical_band(band)] for band in bands]
    return [mean for mean, _ in pairs], [std for _, std in pairs]


def read_stats(path: str | PathLike) -> dict[str, tuple[float, float]]:
    """Read ``{band: (mean, deviation)}`` from a file of ``tools/analysis_tools/band_stats.py``.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is not of this form, or a deviation is not positive.
    """
    fix = 'Write it with tools/analysis_tools/band_stats.py'
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        columns = content['bands'], content['mean'], content['std']
        table = {
            canonical_band(band): (float(mean), float(std))
            for band, mean, std in zip(*columns, strict=True)
        }
    except FileNotFoundError as error:
        what = 'there is no such file of band statistics'
        raise DataNotFoundError(what, where=path, fix=fix) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f'is no file of band statistics ({error})', where=path, fix=fix) from error
    flat = [band for band, (_, std) in table.items() if not std > 0]
    if flat:
        raise DataError(f'the deviation of {", ".join(flat)} is not positive', where=path)
    return table
