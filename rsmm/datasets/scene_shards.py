"""Dated scenes packed into memory-mapped shards, all bands on one grid.

A scene of twelve files costs tens of milliseconds to open; one row of a shard costs microseconds.
A pack is a folder of

- ``shards.json``: format version, dtype, bands, size, resampling, scenes per shard,
- ``names.txt``: ``<place>/<product id>`` of every scene, in the order of the rows,
- ``shard-00000.bin``, ...: scenes ``(S, S, C)`` behind one another,
- ``shard-00000.json``, ...: what each was made from, and its hash (:mod:`rsmm.utils.done_marker`).

The plan is written first and each shard appears only when it is complete, so an interrupted run
goes on where it stopped.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.scenes import Scene, scene_date
from rsmm.errors import DataError, DataNotFoundError
from rsmm.sensors import band_indices
from rsmm.utils.done_marker import DoneMarker
from rsmm.utils.foreign import parsing, read_json, read_text

SHARD_VERSION = 1
PACK_COMMAND = 'python tools/dataset_converters/pack_scenes.py'


class SceneShards:
    """Read-only view of packed scenes.

    Args:
        folder: Folder written by :func:`write_shards`.

    Attributes:
        names: ``<place>/<product id>`` per row.
        bands: Band names, aligned with the last axis.
        size: Height and width in pixels.

    Raises:
        DataNotFoundError: The folder is not a pack.
        DataError: Another format version; a shard is missing or cut off.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder = Path(folder)
        self.about = read_plan(folder)
        if self.about is None:
            raise DataNotFoundError(
                'there are no packed scenes', where=folder, fix=f'Make them with {PACK_COMMAND}'
            )
        with parsing(folder / 'shards.json', 'is no plan of packed scenes'):
            self.bands: tuple[str, ...] = tuple(self.about['bands'])
            self.size = int(self.about['size'])
            self.resample: str = self.about['resample']
            self.dtype = np.dtype(self.about['dtype'])
            self._length = int(self.about['scenes_per_shard'])
            if min(self.size, self._length, len(self.bands)) < 1 or self.dtype.hasobject:
                raise ValueError('a size, number or kind that cannot be')
        self.names = _read_names(folder)
        self.rows = {name: row for row, name in enumerate(self.names)}
        self.shape = (self.size, self.size, len(self.bands))
        self._shards = [self._map(number) for number in range(self._count())]

        self._refuse_further_shard()

    def _count(self) -> int:
        return -(-len(self.names) // self._length)

    def _refuse_further_shard(self) -> None:
        """A shard behind the last one means that the list of names was cut off."""
        path = shard_path(self.folder, self._count())
        if path.exists():
            raise DataError(
                f'names.txt lists {len(self)} scenes, which fill {self._count()} shards',
                where=path,
                fix='Copy names.txt again',
            )

    def _map(self, number: int) -> np.ndarray:
        path = shard_path(self.folder, number)
        scenes = min(self._length, len(self.names) - number * self._length)
        expected = scenes * int(np.prod(self.shape)) * self.dtype.itemsize
        found = path.stat().st_size if path.is_file() else 0
        if found != expected:
            raise DataError(
                f'expected {expected} bytes, found {found}: packing did not finish, or the copy '
                'was cut off',
                where=path,
                fix=f'Run {PACK_COMMAND} with the same settings again; it goes on there',
            )
        # A plain view: indexing np.memmap itself costs several microseconds per read.
        return np.asarray(np.memmap(path, self.dtype, 'r', shape=(scenes, *self.shape)))

    def __len__(self) -> int:
        return len(self.names)

    def places(self) -> dict[str, list[Scene]]:
        """Scenes of every place, oldest first, as scanning the files would list them."""
        places: dict[str, list[Scene]] = {}
        for name in self.names:
            place, product = name.split('/')
            places.setdefault(place, []).append(Scene(name, scene_date(product)))
        return places

    def check_bands(self, bands: Sequence[str]) -> None:
        """Raise :class:`DataError` unless all bands were packed."""
        band_indices(self.bands, bands, where=self.folder)

    def read(self, name: str, bands: Sequence[str]) -> np.ndarray:
        """Return a writable copy of a scene ``(S, S, C)`` in the bands asked for."""
        shard, row = divmod(self.rows[name], self._length)
        image = self._shards[shard][row]
        if tuple(bands) != self.bands:
            image = image[..., band_indices(self.bands, bands, where=self.folder)]
        return np.array(image, order='C')


def shard_path(folder: Path, number: int) -> Path:
    """File of a shard."""
    return folder / f'shard-{number:05d}.bin'


def shard_marker(
    folder: Path, number: int, about: dict, names: Sequence[str], stamps: Sequence
) -> DoneMarker:
    """Return the marker of a shard.

    Args:
        folder: Of the pack.
        number: Of the shard.
        about: The plan.
        names: Of its scenes.
        stamps: Of the files of each.
    """
    text = json.dumps([about, list(names), list(stamps)], sort_keys=True)
    made = {'scenes': hashlib.sha256(text.encode()).hexdigest()}
    return DoneMarker(shard_path(folder, number).with_suffix('.json'), made)


def _read_names(folder: Path) -> list[str]:
    text = read_text(folder / 'names.txt')
    if not text.endswith('\n'):
        raise DataError('cut off', where=folder / 'names.txt', fix='Copy it again')
    return text.splitlines()


@functools.lru_cache(maxsize=16)
def open_shards(folder: str) -> SceneShards:
    """Open a pack once per process; loader workers share its pages through the system's cache."""
    return SceneShards(folder)


def read_plan(folder: Path) -> dict | None:
    path = folder / 'shards.json'
    if not path.is_file():
        return None
    about = read_json(path)
    if about.get('version') != SHARD_VERSION:
        raise DataError(
            f'shard format {about.get("version")}, this release reads {SHARD_VERSION}',
            where=path,
            fix=f'Pack again with {PACK_COMMAND}',
        )
    return about
