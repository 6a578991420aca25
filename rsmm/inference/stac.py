"""Images of STAC items: one asset, or one asset per band joined by a virtual raster."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import posixpath
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from rsmm.errors import DataError, DownloadError
from rsmm.geo.raster import opened
from rsmm.inference.places import Image, is_address
from rsmm.sensors import SENSORS, canonical_band

#: Longest item that is read; they are a few kilobytes.
LIMIT = 8 << 20
TIMEOUT = 60
_TYPES = {'Byte': 'Byte', 'uint8': 'Byte', 'uint16': 'UInt16', 'int16': 'Int16', 'uint32': 'UInt32',
          'int32': 'Int32', 'float32': 'Float32', 'float64': 'Float64'}  # fmt: skip


def item_image(
    source: str, bands: Sequence[str] | None = None, folder: str | os.PathLike | None = None
) -> Image:
    """Return the image of a STAC item.

    An asset that holds all bands wanted is taken as it is. Of items with an asset per band, as
    Sentinel-2's are, a virtual raster joins them on the grid of the finest.

    Args:
        source: File or address of the item.
        bands: That the model asks for, by name; None takes the one raster that there is.
        folder: Where the virtual raster goes.

    Raises:
        DataError: No item, or none of its assets fits.
        DownloadError: It cannot be fetched.
    """
    item = read_item(source)
    assets = {
        name: asset
        for name, asset in item['assets'].items()
        if isinstance(asset, Mapping) and asset.get('href') and _is_raster(asset)
    }
    day = str((item.get('properties') or {}).get('datetime') or '')[:10]
    date = None
    with contextlib.suppress(ValueError):
        date = dt.date.fromisoformat(day)
    wanted = [canonical_band(band) for band in bands or ()]
    for asset in assets.values():
        if wanted and set(wanted) <= set(asset_bands(asset)):
            return Image(_href(source, asset), date)
    single: dict = {}
    for name, asset in assets.items():
        found = asset_bands(asset) or _known(name)
        if len(found) == 1:
            single.setdefault(found[0], _href(source, asset))
    if wanted and set(wanted) <= set(single) and folder is not None:
        target = Path(folder) / f'{_name(item, source)}.vrt'
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(band_vrt({band: single[band] for band in wanted}), encoding='utf-8')
        return Image(str(target), date)
    if len(assets) == 1:
        return Image(_href(source, next(iter(assets.values()))), date)
    raise DataError(
        f'no asset holds {", ".join(wanted) or "the image alone"}; there are '
        f'{", ".join(assets) or "none"}',
        where=source,
        fix='Name the file of the asset instead of the item',
    )


def read_item(source: str) -> dict:
    """Read a STAC item from a file or address.

    Raises:
        DataError: It is none.
        DownloadError: It cannot be fetched.
    """
    try:
        if source.startswith(('http://', 'https://')):
            with urllib.request.urlopen(source, timeout=TIMEOUT) as reply:
                raw = reply.read(LIMIT + 1)
        else:
            raw = Path(source).read_bytes()[: LIMIT + 1]
    except (OSError, urllib.error.URLError) as error:
        raise DownloadError(f'cannot be fetched ({error})', where=source) from error
    try:
        item = json.loads(raw[:LIMIT])
    except ValueError as error:
        raise DataError(f'is no JSON ({error})', where=source) from error
    if not isinstance(item, dict) or not isinstance(item.get('assets'), Mapping):
        raise DataError('is no STAC item: it has no assets', where=source)
    return item


def _is_raster(asset: Mapping) -> bool:
    kind = str(asset.get('type') or '').lower()
    path = str(asset['href']).partition('?')[0].lower()
    roles = asset.get('roles') or ()
    fits = 'tiff' in kind or 'jp2' in kind or path.endswith(('.tif', '.tiff', '.jp2', '.vrt'))
    return fits and 'thumbnail' not in roles and 'overview' not in roles


def asset_bands(asset: Mapping) -> list[str]:
    """Names of an asset's bands by ``eo:bands`` or ``bands``, those of the sensor where known."""
    entries = asset.get('eo:bands') or asset.get('bands') or ()
    names = []
    for entry in entries:
        said = (entry.get('name'), entry.get('common_name'), entry.get('eo:common_name'))
        known = [band for text in said if text for band in _known(str(text))]
        names += known[:1] or [str(said[0])]
    return names


def _known(text: str) -> list[str]:
    """A name or common name as the sensor table has it, empty for an unknown one."""
    sensor = SENSORS['sentinel-2']
    name = canonical_band(text)
    if name in sensor.band_names:
        return [name]
    return [band.name for band in sensor.bands if band.common_name == text.lower()][:1]


def _href(source: str, asset: Mapping) -> str:
    """Address of an asset; relative ones are beside the item."""
    href = str(asset['href'])
    if is_address(href):
        return href
    if source.startswith(('http://', 'https://')):
        return urllib.parse.urljoin(source, href)
    if os.path.isabs(href):
        return href
    return posixpath.join(os.path.dirname(os.path.abspath(source)), href)


def _name(item: Mapping, source: str) -> str:
    text = str(item.get('id') or Path(source).stem)
    return ''.join(c if c.isalnum() or c in '-_.' else '_' for c in text)[:120] or 'item'


def band_vrt(files: Mapping[str, str]) -> str:
    """Return the text of a virtual raster that joins files of one band on the finest grid.

    Args:
        files: Path or address by name of the band; all cover the same extent.

    Raises:
        DataError: A file has several bands, or lies elsewhere than the others.
    """
    about = {}
    for band, path in files.items():
        with opened(path, trusted=True) as source:
            about[band] = (source.count, source.shape, source.transform, source.crs,
                           source.dtypes[0], source.nodata, source.bounds)  # fmt: skip
    first = next(iter(files))
    for band, (count, _, _, crs, _, _, bounds) in about.items():
        off = max(abs(a - b) for a, b in zip(bounds, about[first][6], strict=True))
        pixel = abs(about[first][2].a)
        if count != 1 or crs != about[first][3] or off > max(pixel, abs(about[band][2].a)):
            raise DataError(f'does not lie on {files[first]}', where=files[band])
    _, (height, width), transform, crs, *_ = max(about.values(), key=lambda one: one[1])
    parts = [f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">']
    if crs is not None:
        parts.append(f'<SRS>{escape(crs.to_wkt())}</SRS>')
    parts.append('<GeoTransform>' + ', '.join(map(repr, transform.to_gdal())) + '</GeoTransform>')
    for number, (band, path) in enumerate(files.items(), start=1):
        _, (rows, columns), _, _, dtype, nodata, _ = about[band]
        tag = '' if nodata is None else f'<NoDataValue>{nodata!r}</NoDataValue>'
        place = path if is_address(path) else os.path.abspath(path)
        if place.startswith(('http://', 'https://')):
            place = f'/vsicurl/{place}'
        parts.append(
            f'<VRTRasterBand dataType="{_TYPES.get(dtype, "Float64")}" band="{number}">'
            f'<Description>{escape(band)}</Description>{tag}<SimpleSource>'
            f'<SourceFilename relativeToVRT="0">{escape(place)}</SourceFilename>'
            f'<SourceBand>1</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="{columns}" ySize="{rows}"/>'
            f'<DstRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
            '</SimpleSource></VRTRasterBand>'
        )
    return '\n'.join([*parts, '</VRTDataset>\n'])
