"""Maps as cloud-optimised GeoTIFFs: tiles, overviews, place, colours and names of the classes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from rsmm.errors import DataError
from rsmm.geo.place import set_place
from rsmm.geo.rasterize import as_affine

#: Rows of a strip of the file that is written before the tiles are.
STRIP = 64
BLOCK = 512
# Codes of GDAL's raster attribute tables: types and usages of columns.
_INTEGER, _TEXT = 0, 2
_COLUMNS = (
    ('Value', _INTEGER, 5), ('Class', _TEXT, 2), ('Red', _INTEGER, 6), ('Green', _INTEGER, 7),
    ('Blue', _INTEGER, 8), ('Count', _INTEGER, 1),
)  # fmt: skip


@contextlib.contextmanager
def strip_writer(
    path: Path,
    shape: tuple[int, int],
    dtype: str,
    *,
    count: int = 1,
    nodata: float | None = None,
    bands: Sequence[str] = (),
    palette: Sequence[Sequence[int]] | None = None,
    scale: float | None = None,
    tags: Mapping[str, str] | None = None,
    crs: str | None = None,
    transform: Sequence[float] | None = None,
    gcps: Sequence[Sequence[float]] = (),
    rpcs: Mapping[str, str] | None = None,
) -> Iterator:
    """Give a function that writes rows ``(first row, values (h, W[, C]))`` to a plain GeoTIFF.

    Args:
        path: File to write; :func:`to_cog` turns it into the one to keep.
        shape: (H, W).
        dtype: Of the values.
        count: Number of bands.
        nodata: Value that marks missing pixels.
        bands: Names of the bands.
        palette: (R, G, B) of the values 0, 1, ... of a single uint8 band.
        scale: True value = stored * scale, as a tag.
        tags: Of the file.
        crs, transform, gcps, rpcs: Place, see :class:`rsmm.geo.raster.Raster`.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    profile = dict(
        driver='GTiff', dtype=dtype, count=count, height=shape[0], width=shape[1], nodata=nodata,
        crs=crs, transform=as_affine(transform), blockysize=min(STRIP, shape[0]),
        interleave='band', compress='deflate', zlevel=1, BIGTIFF='IF_SAFER',
    )  # fmt: skip
    with warnings.catch_warnings(), written(path):
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        with rasterio.open(path, 'w', **profile) as target:
            set_place(target, crs, gcps, rpcs)
            target.update_tags(**dict(tags or {}))
            for index, name in enumerate(bands, start=1):
                target.set_band_description(index, name)
            if palette is not None:
                colours = {value: (*colour, 255) for value, colour in enumerate(palette)}
                target.write_colormap(1, colours)
            if scale is not None:
                target.scales = (scale,) * count

            def write(row: int, values: np.ndarray) -> None:
                planes = values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)
                target.write(planes, window=((row, row + values.shape[0]), (0, shape[1])))

            yield write


def to_cog(source: Path, target: Path, resampling: str = 'MODE', **options: Any) -> None:
    """Copy a GeoTIFF into one whose tiles and overviews lie in the order that web readers need.

    Args:
        source: What :func:`strip_writer` wrote.
        target: File to write; the caller moves it to its final name.
        resampling: Of the overviews: ``'MODE'`` for classes, ``'AVERAGE'`` for measures.
        **options: More of GDAL's COG driver.
    """
    import rasterio.shutil
    from rasterio.errors import NotGeoreferencedWarning

    settings = dict(
        driver='COG', COMPRESS='DEFLATE', BLOCKSIZE=BLOCK, OVERVIEW_RESAMPLING=resampling,
        BIGTIFF='IF_SAFER', **options,
    )  # fmt: skip
    with warnings.catch_warnings(), written(target):
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        rasterio.shutil.copy(source, target, **settings)


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Report what fails while a file is written, a full disk for instance, as an error of it."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError) as error:
        if isinstance(error, DataError):
            raise
        text = str(error.__cause__ or error).splitlines() or [type(error).__name__]
        raise DataError(
            f'cannot be written ({text[0]})', where=path, fix='Is there room on the disk?'
        ) from error


def attribute_table(
    classes: Sequence[str], palette: Sequence[Sequence[int]], counts: Iterable[int]
) -> str:
    """Return the text of an ``.aux.xml`` with category names and attribute table of a map.

    Args:
        classes: Names of the values 0, 1, ...
        palette: (R, G, B) of each.
        counts: Pixels of each.
    """
    names = ''.join(f'<Category>{_text(name)}</Category>' for name in classes)
    columns = ''.join(
        f'<FieldDefn index="{k}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage>'
        '</FieldDefn>'
        for k, (name, kind, usage) in enumerate(_COLUMNS)
    )
    rows = ''.join(
        f'<Row index="{value}">'
        + ''.join(f'<F>{_text(cell)}</F>' for cell in (value, name, *colour, count))
        + '</Row>'
        for value, (name, colour, count) in enumerate(zip(classes, palette, counts, strict=True))
    )
    return (
        '<PAMDataset>\n<PAMRasterBand band="1">\n'
        f'<CategoryNames>{names}</CategoryNames>\n'
        f'<GDALRasterAttributeTable tableType="thematic">{columns}{rows}'
        '</GDALRasterAttributeTable>\n</PAMRasterBand>\n</PAMDataset>\n'
    )


def _text(value: object) -> str:
    """Escape a text; what XML cannot hold at all is left out."""
    return escape(''.join(c for c in str(value) if c >= ' ' or c in '\t\n'))
