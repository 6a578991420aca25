"""Notes by which a chain that is called again knows what is finished.

A marker is one JSON file beside the outputs of one unit of work. It names what these were made from
(``made``: options, hashes of inputs) and every output with size and SHA-256, and it carries a hash
of itself. It is removed before anything changes that it vouches for, and written last. So a unit
counts as finished only if it was made from just this, all of it is there, and no byte has changed;
after a kill, a full disk or damage it is done again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rsmm.utils.io import atomic_write, sha256_file, sync_folder

_VERSION = 1


@dataclass(frozen=True)
class DoneMarker:
    """The marker of one unit of work.

    Attributes:
        path: Its file.
        made: What the outputs depend on, as JSON has it; hashes of files come from
            :func:`content_stamp`.
        root: Folder that the names of the outputs are relative to; None: that of the marker.
    """

    path: Path
    made: Mapping[str, object]
    root: Path | None = None

    def facts(self) -> dict | None:
        """Return what was noted beside the outputs, None unless all of them are there unchanged."""
        found = read_marker(self.path)
        if found is None or found['made'] != _as_json(self.made):
            return None
        if not all(self._has(name, *entry) for name, entry in found['outputs'].items()):
            return None
        return found['facts']

    def _has(self, name: str, size: int, digest: str) -> bool:
        path = self._root / name
        try:
            return path.stat().st_size == size and sha256_file(path) == digest
        except OSError:
            return False

    @property
    def _root(self) -> Path:
        return self.path.parent if self.root is None else self.root

    def remove(self) -> None:
        """Withdraw the marker, on the disk too, before its outputs change."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
            sync_folder(self.path.parent)

    @contextlib.contextmanager
    def renewed(self, stale: Iterable[Path] = ()) -> Iterator[Renewal]:
        """Withdraw the marker and old outputs, run the block, and write the marker anew.

        Args:
            stale: Files of earlier runs, with whatever options, that go before the block begins.

        Yields:
            Takes the outputs and facts; what the block raises leaves no marker.
        """
        self.remove()
        for path in stale:
            path.unlink(missing_ok=True)
        renewal = Renewal()
        yield renewal
        self.write(renewal.outputs, renewal.facts)

    def write(self, outputs: Iterable[Path], facts: Mapping[str, object] | None = None) -> None:
        """Vouch for outputs as they are now.

        Args:
            outputs: Finished files below the root.
            facts: Small results kept in the marker, as JSON has them.
        """
        named = {
            os.path.relpath(path, self._root): [path.stat().st_size, sha256_file(path)]
            for path in sorted(outputs)
        }
        body = {
            'version': _VERSION,
            'made': _as_json(self.made),
            'root': os.path.relpath(self._root, self.path.parent),
            'outputs': named,
            'facts': _as_json(facts or {}),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path, 'w', encoding='utf-8') as file:
            json.dump({**body, 'sha256': _digest(body)}, file, indent=1)


class Renewal:
    """What a unit of work hands to its marker.

    Attributes:
        outputs: Finished files.
        facts: Small results.
    """

    def __init__(self) -> None:
        self.outputs: list[Path] = []
        self.facts: dict[str, object] = {}


def read_marker(path: str | os.PathLike) -> dict | None:
    """Return ``made``, ``root``, ``outputs`` and ``facts`` of a marker, whoever asks.

    None where there is none, or a damaged one, or one of another version: then nothing is known.
    """
    try:
        found = json.loads(Path(path).read_text(encoding='utf-8'))
        digest = found.pop('sha256')
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    good = digest == _digest(found) and found.get('version') == _VERSION
    return found if good else None


def _as_json(value: object) -> object:
    return json.loads(json.dumps(value))


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def content_stamp(path: str | os.PathLike | None) -> list | None:
    """Return name, size and SHA-256 of an input file; None for None.

    Each file is hashed once per process as long as its size and times stay.
    """
    if path is None:
        return None
    about = os.stat(path)
    key = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
    return [Path(path).name, about.st_size, _hash_once(os.path.abspath(path), key)]


@functools.lru_cache(maxsize=65536)
def _hash_once(path: str, key: tuple) -> str:
    return sha256_file(path)


def folder_stamp(path: str | os.PathLike) -> list:
    """Return name, size and time of change of all files of a folder, or of one file, sorted.

    For inputs too many to be read once more: a file that is written again has another time.
    """
    if not os.path.isdir(path):
        about = os.stat(path)
        return [[Path(path).name, about.st_size, about.st_mtime_ns]]
    with os.scandir(os.fspath(path)) as entries:
        found = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    return sorted([name, about.st_size, about.st_mtime_ns] for name, about in found)
