"""Datasets packed into one memory-mapped array.

Opening a small file costs far more than reading its bytes, so a dataset of chips is packed once and
then read at memory speed. A pack is a folder of

- ``images.bin``: all images (H, W, C) behind one another in their stored dtype,
- ``index.npz``: where each starts, its height and width, its affine transform and CRS number,
- ``names.txt``: one path per image, relative to the root it came from,
- ``pack.json``: format version, dtype, bands, nodata and the list of CRSs,
- ``done.json``: hashes of all these (:mod:`rsmm.utils.done_marker`).

Splits, labels and transforms are untouched: dataset classes take ``packed=FOLDER``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.errors import DataError, DataNotFoundError
from rsmm.sensors import band_indices
from rsmm.utils.done_marker import DoneMarker
from rsmm.utils.foreign import parsing, read_json, read_text

PACK_VERSION = 1
PACK_COMMAND = 'python tools/dataset_converters/pack_dataset.py'
_AGAIN = f'Copy it again, or pack the dataset again with {PACK_COMMAND}'
PACK_FILES = ('images.bin', 'index.npz', 'names.txt', 'pack.json')


class Pack:
    """Read-only view of a packed dataset.

    Args:
        folder: Folder written by :func:`write_pack`.

    Attributes:
        names: Relative path of each image.
        bands: Band names, aligned with the last axis of every image.

    Raises:
        DataNotFoundError: The folder is not a pack.
        DataError: The pack is of another format version, or cut off.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        if not (folder / 'pack.json').is_file():
            raise DataNotFoundError(
                'there is no packed dataset', where=folder, fix=f'Make one with {PACK_COMMAND}'
            )
        about = read_json(folder / 'pack.json')
        if about.get('version') != PACK_VERSION:
            raise DataError(
                f'pack format {about.get("version")}, this release reads {PACK_VERSION}',
                where=folder,
                fix=f'Pack the dataset again with {PACK_COMMAND}',
            )
        self.names = read_text(folder / 'names.txt', fix=_AGAIN).splitlines()
        with parsing(folder / 'pack.json', 'is no description of a pack', _AGAIN):
            self.bands: tuple[str, ...] = tuple(about['bands'])
            self.nodata: float | None = about['nodata']
            self.crs: list[str] = about['crs']
            dtype = np.dtype(about['dtype'])
        with (
            parsing(folder / 'index.npz', 'is no index of a pack', _AGAIN),
            np.load(folder / 'index.npz', allow_pickle=False) as index,
        ):
            self._starts = index['starts']
            self._shapes = index['shapes']
            self._transforms = index['transforms']
            self._crs_numbers = index['crs']
            self._check_index()
        self._images = _map_images(folder / 'images.bin', dtype, int(self._starts[-1]))

    def _check_index(self) -> None:
        """Raise ValueError unless names, places and sizes of the images go together."""
        count = len(self.names)
        shapes = self._starts.shape, self._shapes.shape, self._transforms.shape
        if shapes != ((count + 1,), (count, 2), (count, 6)) or self._crs_numbers.shape != (count,):
            raise ValueError(f'{count} names, tables of {shapes}')
        sizes = self._shapes.astype(np.int64).prod(axis=1) * len(self.bands)
        if self._starts[0] != 0 or (np.diff(self._starts) != sizes).any():
            raise ValueError('the places of images do not fit their sizes')
        numbers = self._crs_numbers
        if count and not -1 <= numbers.min() <= numbers.max() < max(len(self.crs), 1):
            raise ValueError('a coordinate system is named that is not listed')

    def __len__(self) -> int:
        return len(self.names)

    def read(self, row: int, bands: Sequence[str] | None = None) -> tuple[np.ndarray, dict]:
        """Return a writable copy of an image (H, W, C) and its bands, nodata, crs and transform.

        Args:
            row: Position in :attr:`names`.
            bands: Names to return, in this order; None returns all.
        """
        height, width = self._shapes[row].tolist()
        flat = self._images[self._starts[row] : self._starts[row + 1]]
        image: np.ndarray = flat.reshape(height, width, len(self.bands))
        names = self.bands
        if bands is not None and tuple(bands) != names:
            names = tuple(bands)
            image = image[..., band_indices(self.bands, names, where=self.names[row])]
        number = self._crs_numbers[row]
        transform = self._transforms[row].tolist()
        return np.array(image, order='C'), {
            'bands': names,
            'nodata': self.nodata,
            'crs': self.crs[number] if number >= 0 else None,
            'transform': None if transform[0] != transform[0] else tuple(transform),
        }


def pack_marker(folder: Path) -> DoneMarker:
    """Return the marker that vouches for the files of a pack."""
    return DoneMarker(folder / 'done.json', {'format': 'pack', 'version': PACK_VERSION})


def _map_images(path: Path, dtype: np.dtype, count: int) -> np.ndarray:
    expected = count * dtype.itemsize
    found = path.stat().st_size if path.is_file() else 0
    if found != expected:
        raise DataError(
            f'expected {expected} bytes, found {found}',
            where=path,
            fix=_AGAIN,
        )
    # A plain view: indexing np.memmap itself costs several microseconds per read.
    return np.asarray(np.memmap(path, dtype=dtype, mode='r'))


@functools.lru_cache(maxsize=16)
def open_pack(folder: str) -> Pack:
    """Open a pack once per process; loader workers share its pages through the system's cache."""
    return Pack(folder)
