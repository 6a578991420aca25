"""The record of a folder of predictions: what is done, and which files are its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rsmm.errors import ConfigError, DataError
from rsmm.inference.places import Scene, is_address
from rsmm.utils import atomic_write

RECORD = 'predict.json'
#: Files of the folder as a whole.
SHARED = ('summary.csv', 'index.html')
#: Folders of unfinished files; a killed run leaves them behind.
TEMPORARY = '.rsmm-'


class Records:
    """What stands in ``predict.json`` of an output folder.

    Args:
        folder: The output folder.

    Raises:
        DataError: The file is of something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / RECORD
        self.scenes: dict[str, dict] = {}
        if self.path.is_file():
            try:
                self.scenes = json.loads(self.path.read_text(encoding='utf-8'))['scenes']
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f'is no record of predictions ({error!r})',
                    where=self.path,
                    fix='Choose another folder, or remove the file',
                ) from error

    def clear_leftovers(self) -> None:
        """Remove unfinished files of a run that was killed; the caller holds the folder."""
        for path in self.folder.glob(f'{TEMPORARY}*'):
            shutil.rmtree(path, ignore_errors=True)

    def done(self, scene: str, key: str) -> dict | None:
        """Return the record of a finished scene, None if there is none of these settings."""
        entry = self.scenes.get(scene)
        if not entry or entry.get('key') != key or not entry.get('done'):
            return None
        there = all((self.folder / name).is_file() for name in entry['files'])
        return entry['record'] if there else None

    def check_foreign(self, scene: str, names: Iterable[str]) -> None:
        """Refuse to replace files that no earlier call wrote.

        Raises:
            ConfigError: Names the first.
        """
        own = set(self.scenes.get(scene, {}).get('files', ()))
        if self.path.is_file():
            own |= set(SHARED)
        for name in (*names, *SHARED):
            if name not in own and os.path.lexists(self.folder / name):
                raise ConfigError(
                    'is there already, and no earlier prediction wrote it',
                    where=self.folder / name,
                    fix='Choose another --out, or move the file',
                )

    def move_in(self, scene: str, key: str, files: Mapping[str, Path], record: Mapping) -> None:
        """Give finished files their final names and note the scene as done.

        The names are noted before the first file is moved, so that a call after a crash knows its
        own files. What an earlier call with other settings wrote for the scene goes.
        """
        earlier = set(self.scenes.get(scene, {}).get('files', ()))
        names = list(files)
        both = sorted({*names, *earlier})
        self._note(scene, {'key': key, 'done': False, 'files': both, 'record': {}})
        for name, path in files.items():
            os.replace(path, self.folder / name)
        for name in earlier - set(names):
            (self.folder / name).unlink(missing_ok=True)
        self._note(scene, {'key': key, 'done': True, 'files': names, 'record': dict(record)})

    def _note(self, scene: str, entry: dict) -> None:
        self.scenes[scene] = entry
        with atomic_write(self.path, 'w', encoding='utf-8') as file:
            json.dump({'scenes': self.scenes}, file, indent=1)


def run_key(scene: Scene, settings: Mapping) -> str:
    """Return a hash of everything that a scene's outputs depend on."""
    files: list[tuple[Any, ...]] = []
    for image in scene.images:
        date = None if image.date is None else image.date.isoformat()
        if is_address(image.path):
            files.append((image.path, date))
        else:
            about = os.stat(image.path)
            files.append((os.path.abspath(image.path), about.st_size, about.st_mtime_ns, date))
    text = json.dumps([files, dict(settings)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
