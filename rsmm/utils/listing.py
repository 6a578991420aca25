"""One way to list files: every spelling of a suffix, no clutter, and nothing left out unsaid."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rsmm.errors import DataError, DataNotFoundError

JPEG = ('.jpg', '.jpeg', '.jpe')
TIFF = ('.tif', '.tiff')
IMAGES = ('.png', *JPEG, *TIFF, '.bmp', '.jp2', '.j2k')
GEOJSON = ('.geojson', '.json')
#: What file managers and editors leave behind, in small letters.
CLUTTER = frozenset(('thumbs.db', 'desktop.ini', '__macosx', '__pycache__', '@eadir'))


def is_clutter(name: str) -> bool:
    """Whether a file or folder is no data: hidden, ``._x.tif`` of macOS, ``Thumbs.db``, ...

    >>> [is_clutter(name) for name in ('._a.tif', 'Thumbs.db', '.ipynb_checkpoints', 'a.tif')]
    [True, True, True, False]
    """
    return name.startswith('.') or name.lower() in CLUTTER


def has_suffix(path: str | Path, suffixes: Sequence[str] = IMAGES) -> bool:
    """Whether a name ends with one of the suffixes, in capitals or not."""
    return os.path.splitext(path)[1].lower() in suffixes


def plain_stem(path: str | Path) -> str:
    """The name of a file without suffix, accents composed: macOS decomposes them in archives."""
    stem = Path(path).stem
    return stem if stem.isascii() else unicodedata.normalize('NFC', stem)


def list_files(
    folder: str | Path, suffixes: Sequence[str] = IMAGES, deep: bool = False
) -> list[Path]:
    """List the files of a folder by name; clutter is left out, capitals in suffixes are the same.

    Args:
        folder: Absent ones hold no files.
        suffixes: With the dot, in small letters.
        deep: Sub-folders too, also those behind links.

    Raises:
        DataError: A folder cannot be read, or a link leads nowhere.
    """
    found = []
    for entry in _walk(Path(folder), deep):
        if not has_suffix(entry.name, suffixes):
            continue
        # Whether it is a link stands in the folder; only links cost another look at the disk.
        if entry.is_symlink() and not os.path.exists(entry.path):
            raise DataError(
                f'is a link to {os.readlink(entry.path)}, which is not there',
                where=entry.path,
                fix='Fetch the file it stands for, or remove the link',
            )
        found.append(Path(entry.path))
    return sorted(found)


def list_folders(folder: str | Path) -> list[Path]:
    """List the folders in a folder by name, without clutter.

    Raises:
        DataNotFoundError: There is no such folder.
        DataError: It cannot be read.
    """
    if not Path(folder).is_dir():
        raise DataNotFoundError('there is no such folder', where=folder)
    return sorted(Path(entry.path) for entry in _entries(Path(folder)) if entry.is_dir())


def _walk(folder: Path, deep: bool) -> Iterator[os.DirEntry]:
    pending, seen = [folder], set()
    while pending:
        current = pending.pop()
        if not current.is_dir():
            continue
        place = os.path.realpath(current)
        if place in seen:  # a link to a folder above
            continue
        seen.add(place)
        for entry in _entries(current):
            if not entry.is_dir():
                yield entry
            elif deep:
                pending.append(Path(entry.path))


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_clutter(entry.name)]
    except OSError as error:
        # pathlib's glob would leave such a folder out without a word.
        raise DataError(
            f'the folder cannot be read ({error.strerror})', where=folder, fix='Check its rights'
        ) from error


def inside(folder: str | Path, name: str, where: str | Path) -> Path:
    """Join a folder and a name that a file gives, which must not lead out of the folder.

    Args:
        folder: That the name is relative to.
        name: As the file has it.
        where: File and line to name.

    Raises:
        DataError: An absolute name, or one that climbs out.
    """
    path = Path(os.path.normpath(os.path.join(folder, name)))
    if os.path.isabs(name) or not path.is_relative_to(os.path.normpath(folder)) or '\0' in name:
        raise DataError(
            f'{name!r} leads out of {folder}', where=where, fix='Name files relative to that folder'
        )
    return Path(folder, name)


def by_stem(
    paths: Iterable[str | Path], key: Callable[[Path], str] = plain_stem
) -> dict[str, Path]:
    """Map stems to files in order.

    Args:
        paths: Files.
        key: Makes the stem of a path.

    Raises:
        DataError: Two files of one stem, of which one would be lost.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        first = found.setdefault(key(path), path)
        if first is not path:
            raise DataError(f'{first.name} has the same name', where=path, fix='Keep one of them')
    return found


def images_by_stem(folder: str | Path, suffixes: Sequence[str] = IMAGES) -> dict[str, Path]:
    """Map the stems of a folder's images to the files; see :func:`by_stem`."""
    return by_stem(list_files(folder, suffixes))


def of_one_kind(folder: str | Path, suffixes: Sequence[str], deep: bool = False) -> dict[str, Path]:
    """Map stems to a folder's images of one kind, and refuse to leave out others beside them.

    Args:
        folder: To list.
        suffixes: Of the kind, such as :data:`JPEG`.
        deep: Sub-folders too.

    Raises:
        DataError: An image of another kind whose name none of the kind has.
    """
    images = list_files(folder, (*IMAGES, *suffixes), deep)
    kind = [has_suffix(path, suffixes) for path in images]
    found = by_stem(path for path, wanted in zip(images, kind, strict=True) if wanted)
    others = [path for path, wanted in zip(images, kind, strict=True) if not wanted]
    alone = [path for path in others if found and plain_stem(path) not in found]
    if alone:
        raise DataError(
            f'{len(alone)} images beside {len(found)} {suffixes[0]} files are of another kind, '
            f'e.g. {alone[0].name}',
            where=folder,
            fix=f'Convert or remove them; {", ".join(suffixes)} are read',
        )
    return found


def check_partners(
    files: Mapping[str, Path], partners: Mapping[str, Path], what: str, fix: str
) -> None:
    """Refuse files that have no partner of their stem.

    Args:
        files: Stem to file.
        partners: Stem to the file that must be there for each.
        what: What is missing, such as ``'image'``.
        fix: For the error.

    Raises:
        DataError: Names the first file without, and how many there are.
    """
    alone = sorted(set(files) - set(partners))
    if alone:
        raise DataError(
            f'has no {what} ({len(alone)} of {len(files)} such files)',
            where=files[alone[0]],
            fix=fix,
        )
