"""Unpacking archives from outside without letting them write outside the target folder."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rsmm.errors import DataError, DataNotFoundError, RsmmError
from rsmm.utils.leftovers import SUFFIX, sweep_once, temporary_prefix
from rsmm.utils.limits import GIB, check_limit
from rsmm.utils.progress import track


def extract_archive(archive: str | os.PathLike, folder: str | os.PathLike) -> Path:
    """Unpack a ``.zip`` or ``.tar[.gz|.bz2|.xz]`` file into ``folder``.

    All names are checked before anything is written, and the files appear in ``folder`` only when
    the whole archive could be read.

    Args:
        archive: Archive file.
        folder: Target, made if absent; existing files of the same name are replaced.

    Returns:
        ``folder``.

    Raises:
        DataNotFoundError: No such archive.
        DataError: Not an archive, a damaged one, or one whose members would land outside
            ``folder`` (absolute names, ``..``, links, device files).
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise DataNotFoundError('no such archive', where=archive)
    folder.mkdir(parents=True, exist_ok=True)
    sweep_once(folder)
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix(archive), suffix=SUFFIX, dir=folder
    ) as temporary:
        try:
            if zipfile.is_zipfile(archive):
                _unzip(archive, Path(temporary))
            elif tarfile.is_tarfile(archive):
                _untar(archive, Path(temporary))
            else:
                raise DataError('not a zip or tar archive', where=archive)
        except RsmmError:
            raise
        except Exception as error:  # unpackers fail in any way there is
            raise DataError(
                f'cannot be unpacked: {error}', where=archive, fix='Download it again'
            ) from error
        _merge(Path(temporary), folder)
    return folder


def _check_name(name: str, archive: Path) -> None:
    path = PurePosixPath(name.replace('\\', '/'))
    drive = path.parts and path.parts[0].endswith(':')
    if path.is_absolute() or '..' in path.parts or drive:
        raise DataError(
            f"the member '{name}' would be written outside the target folder", where=archive
        )


def _check_size(sizes: Sequence[int], archive: Path) -> None:
    """Refuse a bomb before anything is written."""
    check_limit('MEMBERS', len(sizes), archive)
    total, packed = sum(sizes), archive.stat().st_size
    check_limit('UNPACKED_BYTES', total, archive)
    if total > GIB:
        check_limit('RATIO', total / max(packed, 1), archive)
    free = shutil.disk_usage(archive.parent).free
    if total > free and total > packed:
        raise DataError(
            f'unpacks to {total / 2**20:,.0f} MiB, {free / 2**20:,.0f} MiB are free', where=archive
        )


def _members(source: tarfile.TarFile, archive: Path) -> list[tarfile.TarInfo]:
    """List a tar file; its headers come one after another, so a bomb shows while they are read."""
    found, total = [], 0
    for member in source:
        found.append(member)
        total += member.size
        check_limit('MEMBERS', len(found), archive)
        check_limit('UNPACKED_BYTES', total, archive)
        if total > GIB:
            check_limit('RATIO', total / max(archive.stat().st_size, 1), archive)
    return found


def _unzip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        members = source.infolist()
        _check_size([member.file_size for member in members], archive)
        for member in members:
            _check_name(member.filename, archive)
            if member.flag_bits & 1:
                raise DataError(
                    f"the member '{member.filename}' is encrypted",
                    where=archive,
                    fix='Unpack it with its password by hand',
                )
            if stat.S_ISLNK(member.external_attr >> 16):
                raise DataError(f"the member '{member.filename}' is a link", where=archive)
        for member in track(members, f'Unpacking {archive.name}'):
            source.extract(member, target)  # stops at the size that the archive states


def _untar(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as source:
        members = _members(source, archive)
        _check_size([member.size for member in members], archive)
        for member in members:
            _check_name(member.name, archive)
            if not (member.isfile() or member.isdir()):
                raise DataError(f"the member '{member.name}' is a link or a device", where=archive)
        for member in track(members, f'Unpacking {archive.name}'):
            path = target / member.name
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with source.extractfile(member) as content, open(path, 'wb') as file:
                shutil.copyfileobj(content, file)


def _merge(source: Path, target: Path) -> None:
    """Move the files of one tree over another on the same disk."""
    for entry in source.iterdir():
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _merge(entry, place)
        else:
            os.replace(entry, place)
