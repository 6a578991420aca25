"""Scenes to map: their names, files and dates."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from rsmm.errors import DataError


class Image(NamedTuple):
    """One date of a scene.

    Attributes:
        path: File or address as GDAL opens it.
        date: Of acquisition, None where nothing tells it.
    """

    path: str
    date: dt.date | None = None


class Scene(NamedTuple):
    """A place to map.

    Attributes:
        name: Of its outputs.
        images: In order of time.
    """

    name: str
    images: tuple[Image, ...]

    @property
    def paths(self) -> list[str]:
        """Files or addresses."""
        return [image.path for image in self.images]


def is_address(text: str | os.PathLike) -> bool:
    """Whether a text is opened by GDAL's network or virtual file systems, not by the disk."""
    return '://' in str(text) or str(text).startswith('/vsi')


def stem_of(path: str) -> str:
    """Return the name of an image without folders, suffix and what follows it in an address."""
    plain = path.partition('?')[0] if is_address(path) else path
    stem = PurePosixPath(plain.replace(os.sep, '/')).stem
    return stem or 'scene'


def check_names(scenes: Sequence[Scene]) -> None:
    """Refuse scenes whose outputs would have one name.

    Raises:
        DataError: Two scenes of one name, or one that is no file name.
    """
    name, count = Counter(scene.name.lower() for scene in scenes).most_common(1)[0]
    if count > 1:
        same = [scene.paths[0] for scene in scenes if scene.name.lower() == name]
        raise DataError(
            f'{count} scenes are called {name}: {", ".join(same[:3])}',
            fix='Predict them into different folders, or name them in a table (name,path)',
        )
    for scene in scenes:
        if set(scene.name) & set('/\\\0') or scene.name in ('.', '..'):
            raise DataError(f'{scene.name!r} is no name of a file', fix='Name it otherwise')
