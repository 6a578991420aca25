"""A raster file that is open: what it says of itself, and its values by window."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.errors import ConfigError, DataError
from rsmm.geo.band_names import ALPHA, FileBands, chosen_bands, select_bands
from rsmm.geo.integrity import may_have_mask
from rsmm.geo.missing import missing_pixels
from rsmm.geo.raster_files import (
    BESIDE,
    JPEG_SUFFIXES,
    decode_jpeg,
    failures_of,
    rasterio_source,
    scene_jpeg,
    wkt_of,
)
from rsmm.utils.limits import check_limit

PALETTES = ('expand', 'index')
_COLOURS = ('red', 'green', 'blue')
#: What a JPEG says of its bands, by their number.
JPEG_BANDS = {1: FileBands((None,), ('gray',)), 3: FileBands((None,) * 3, _COLOURS)}


class Raster:
    """A raster file that is open; use :func:`open_raster`.

    Attributes:
        bands: Names of the bands that :meth:`read` gives, in this order.
        shape: (H, W) in pixels.
        dtype: Of what :meth:`read` gives.
        nodata: Tag of the file, else the one that the caller gave.
        crs: WKT, None without; with control points alone that of theirs.
        transform: Six affine numbers from pixels to the map, None without.
        gcps: Ground control points (row, column, x, y, z), empty where there is an affine.
        rpcs: Rational polynomial coefficients as GDAL spells them, None without.
        scales, offsets: Tags per band, None where all are 1 and 0: true value =
            stored * scale + offset.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        bands: Sequence[str] | None,
        order: Sequence[str] | None,
        assume: Sequence[str] | None,
        nodata: float | None,
        sidecars: bool,
        palette: str,
        scaled: bool,
        trusted: bool,
        keep: bool,
        drop_alpha: bool,
    ) -> None:
        if palette not in PALETTES:
            raise ConfigError(f'palette={palette!r} is not one of {", ".join(PALETTES)}')
        self.path = path
        self._stack = contextlib.ExitStack()
        self._pixels: np.ndarray | None = None
        self._source: Any = None  # rasterio's, None where the pixels alone are enough
        self._table: np.ndarray | None = None
        self.crs: str | None = None
        self.transform: tuple | None = None
        self.rpcs: dict | None = None
        self.scales: tuple | None = None
        self.offsets: tuple | None = None
        self.gcps: tuple = ()
        more = False
        if is_jpeg(path) and (not trusted or os.path.isfile(path)):
            self._pixels, more = (scene_jpeg if keep else decode_jpeg)(path)
            more = more or sidecars or os.path.exists(f'{path}.msk')
        with failures_of(path):
            try:
                if self._pixels is None or more:
                    source = rasterio_source(path, sidecars, trusted)
                    self._source = self._stack.enter_context(source)
                file = self._describe(palette)
                self._select(file, drop_alpha, order, bands, assume)
                self._describe_missing(nodata, order or assume)
                self._describe_tags(scaled)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Raster:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def _select(self, file: FileBands, drop_alpha: bool, *declared: Any) -> None:
        """Choose the bands to read."""
        self._count = len(file.colours)
        given = [None if names is None else tuple(names) for names in declared]
        try:
            names, index, self._alpha = chosen_bands(file, *given)
        except DataError:
            select_bands(file, self.path, *given)  # the same error with the file in it
            raise
        kept = list(range(len(names)))
        if drop_alpha and not file.automatic and len(names) > 1:
            kept = [place for place, name in enumerate(names) if name != ALPHA]
        self.bands = tuple(names[place] for place in kept)
        self._index = [index[place] for place in kept]

    def _describe(self, palette: str) -> FileBands:
        """Take shape, dtype and place, and return what the file says of its bands."""
        source = self._source
        if source is not None:
            self._place(source)
        if self._pixels is not None:
            height, width, count = self._pixels.shape
            self.shape, self.dtype = (height, width), self._pixels.dtype
            return FileBands((None,) * count, _COLOURS if count == 3 else ('gray',) * count)
        self.shape = (source.height, source.width)
        if 'complex' in source.dtypes[0]:
            raise DataError(
                f'holds complex values ({source.dtypes[0]})',
                where=self.path,
                fix='Write the amplitude instead: numpy.abs(values)',
            )
        self.dtype = np.dtype(source.dtypes[0])
        colours = _spelled(source.colorinterp)
        if colours == ('palette',):
            if palette == 'expand':
                self._table = _palette_table(source, self.dtype)
                self.dtype = np.dtype(np.uint8)
                return FileBands((None,) * 3, _COLOURS)
            colours = ('undefined',)
        bytes_ = source.driver == 'GTiff' and self.dtype == np.uint8
        return FileBands(source.descriptions, colours, bytes_ and colours[:3] == _COLOURS)

    def _place(self, source: Any) -> None:
        # GDAL gives the identity for a file without an affine.
        self.crs = wkt_of(source.crs)
        affine = source.transform
        self.transform = None if affine.is_identity else tuple(affine)[:6]
        if self.transform is None:
            points, crs = source.gcps
            self.gcps = tuple((p.row, p.col, p.x, p.y, p.z or 0.0) for p in points)
            self.crs = wkt_of(crs) if points else self.crs
            self.rpcs = source.rpcs.to_gdal() if source.rpcs else None

    def _describe_missing(self, nodata: float | None, declared: Any) -> None:
        """Note where missing pixels can come from; most files have no such source."""
        alpha, source, count = self._alpha, self._source, self._count
        if alpha is None and declared is not None and ALPHA in declared:
            alpha = tuple(declared).index(ALPHA)
            alpha = alpha if alpha < count else None
        self._alpha = None if alpha in self._index else alpha
        tags = (None,) * count
        if source is not None and self._pixels is None and self._table is None:
            tags = source.nodatavals
        self._masked = source is not None and self._has_mask(source, tags)
        self._tags: list[Any] = [tags[place] for place in self._index]
        if all(tag is None for tag in self._tags):
            self._tags = [nodata] * len(self._index)
        self.nodata = self._tags[0]

    def _has_mask(self, source: Any, tags: Sequence[float | None]) -> bool:
        """Whether GDAL has to be asked: for a mask, or a tag beyond 2**53, which is no float."""
        if self.dtype.kind in 'iu' and any(abs(tag or 0) >= 2**53 for tag in set(tags)):
            return True
        if source.driver == 'GTiff' and os.path.isfile(self.path):
            beside = any(os.path.exists(f'{self.path}{suffix}') for suffix in BESIDE)
            if not beside and not may_have_mask(self.path):
                return False
        names = {flag.name for flag in source.mask_flag_enums[0]}
        return 'per_dataset' in names and 'alpha' not in names

    def _describe_tags(self, scaled: bool) -> None:
        """Take scale and offset tags of the bands that are read."""
        self._scaled = False
        if self._source is None or self._pixels is not None or self._table is not None:
            return
        scales, offsets = self._source.scales, self._source.offsets
        if any(scale != 1 for scale in scales) or any(offsets):
            self.scales = tuple(scales[place] for place in self._index)
            self.offsets = tuple(offsets[place] for place in self._index)
            self._scaled = scaled
            if scaled:
                self.dtype = np.dtype(np.float32)

    @property
    def can_lack(self) -> bool:
        """Whether a pixel of this file can be missing at all."""
        tagged = any(tag is not None for tag in self._tags)
        clear = self._table is not None and (self._table[:, 3] > 0).all()
        alpha = self._alpha is not None or (self._table is not None and not clear)
        return tagged or alpha or self._masked or self.dtype.kind == 'f'

    def about(self) -> dict:
        """Return ``bands``, ``nodata``, ``crs``, ``transform``; what else there is only if it is.

        These are ``scales`` and ``offsets`` where they are still to be applied, ``gcps``, ``rpcs``.
        """
        found: dict[str, Any] = {
            'bands': self.bands,
            'nodata': None if self._scaled else self.nodata,
            'crs': self.crs,
            'transform': self.transform,
        }
        if self.scales is not None and not self._scaled:
            found.update(scales=self.scales, offsets=self.offsets)
        if self.gcps:
            found['gcps'] = self.gcps
        if self.rpcs is not None:
            found['rpcs'] = self.rpcs
        return found

    def read(
        self, window: Sequence[int] | None = None, out_shape: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Read values and what is missing.

        Args:
            window: Row, column, height and width in pixels, cut at the lower and right border.
            out_shape: (h, w) to pick nearest pixels for; the size of the window when None.

        Returns:
            The image (h, w, C) as stored, markers included, and which pixels are missing (h, w)
            bool, None where none is.

        Raises:
            DataError: The file is damaged.
        """
        part = self._cut(window)
        with failures_of(self.path):
            image, alpha = self._values(part, out_shape)
            missing = self._missing(image, alpha, part, out_shape)
        if self._scaled:
            image = image * np.asarray(self.scales, np.float32) + np.asarray(
                self.offsets, np.float32
            )
        return image, missing

    def _cut(self, window: Sequence[int] | None) -> tuple[int, int, int, int]:
        row, column, height, width = (0, 0, *self.shape) if window is None else window
        bottom, right = min(row + height, self.shape[0]), min(column + width, self.shape[1])
        return row, column, bottom - row, right - column

    def _values(self, part: Any, out_shape: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Values (h, w, C) and alpha (h, w) where there is a band of it."""
        row, column, height, width = part
        if self._pixels is not None:
            image = self._pixels[row : row + height, column : column + width]
            whole = self._index == list(range(self._pixels.shape[2]))
            image = image if whole else image[..., self._index]
            if out_shape is not None:
                rows, columns = (
                    ((np.arange(n) + 0.5) * full / n).astype(int)
                    for n, full in zip(out_shape, (height, width), strict=True)
                )
                image = image[rows[:, None], columns]
            return (np.ascontiguousarray(image) if image.flags.writeable else image.copy()), None
        index = [0] if self._table is not None else list(self._index)
        index += [self._alpha] if self._alpha is not None and self._table is None else []
        shape = (len(index), *(out_shape or (height, width)))
        # Of zeros: what a damaged file leaves out is never what was in memory before.
        dtype = np.dtype(self._source.dtypes[0])
        check_limit('READ_BYTES', math.prod(shape) * dtype.itemsize, self.path)
        planes = np.zeros(shape, dtype)
        whole = part == (0, 0, *self.shape)
        every = index == list(range(self._source.count))
        self._source.read(
            None if every else [place + 1 for place in index],
            out=planes,
            window=None if whole else _window(part),
        )
        if self._table is not None:
            colours = self._table[np.minimum(planes[0], len(self._table) - 1)]
            return np.ascontiguousarray(colours[..., self._index]), colours[..., 3]
        alpha = planes[-1] if len(index) > len(self._index) else None
        return np.ascontiguousarray(planes[: len(self._index)].transpose(1, 2, 0)), alpha

    def _missing(
        self, image: np.ndarray, alpha: np.ndarray | None, part: Any, out_shape: Any
    ) -> np.ndarray | None:
        missing = None
        if image.dtype.kind == 'f' or any(tag is not None for tag in self._tags):
            missing = missing_pixels(image, self._tags)
        if alpha is not None:
            missing = alpha == 0 if missing is None else missing | (alpha == 0)
        if self._masked:
            shape = out_shape or part[2:]
            masked = self._source.read_masks(1, window=_window(part), out_shape=shape) == 0
            missing = masked if missing is None else missing | masked
        return missing if missing is not None and missing.any() else None


def _window(part: Sequence[int]) -> tuple:
    row, column, height, width = part
    return (row, row + height), (column, column + width)


@functools.lru_cache(maxsize=64)
def _spelled(colours: tuple) -> tuple[str, ...]:
    return tuple(colour.name for colour in colours)


def _palette_table(source: Any, dtype: np.dtype) -> np.ndarray:
    """Red, green, blue and alpha of every index, (K, 4) uint8."""
    table = np.zeros((np.iinfo(dtype).max + 1, 4), np.uint8)
    for index, colour in source.colormap(1).items():
        table[index] = colour
    return table


def is_jpeg(path: str | Path) -> bool:
    """Whether a file is decoded by OpenCV."""
    return str(path).lower().endswith(JPEG_SUFFIXES)
