"""Comparing files with the hashes that stand beside them: of packs, shards, and as published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from rsmm.errors import DataError
from rsmm.utils.done_marker import read_marker
from rsmm.utils.foreign import read_text
from rsmm.utils.listing import inside, list_files

_LIST = re.compile(r'(sha256|md5|sha1|sha512)(sums?)?(\.txt)?|.+\.(sha256|md5|sha1|sha512)', re.I)
_LINE = re.compile(r'(?P<digest>[0-9a-fA-F]{32,128})(?:\s+\*?(?P<name>.+))?')
_KINDS = {32: 'md5', 40: 'sha1', 64: 'sha256', 128: 'sha512'}


def known_hashes(root: str | Path) -> Iterator[tuple[Path, str, str, Path]]:
    """Yield what is known of the files below a folder: file, kind of hash, digest, where it stands.

    Markers of packs and shards (:mod:`rsmm.utils.done_marker`) are read, and lists as ``sha256sum``
    and ``md5sum`` write them: ``SHA256SUMS``, ``md5.txt``, ``archive.zip.sha256``.

    Raises:
        DataError: A list cannot be read, or names a file outside its folder.
    """
    for path in list_files(root, ('.json',), deep=True):
        found = read_marker(path)
        if found is not None:
            for name, (_, digest) in found['outputs'].items():
                yield path.parent / found['root'] / name, 'sha256', digest, path
    for path in sorted(Path(root).rglob('*')):
        if path.is_file() and not path.name.startswith('.') and _LIST.fullmatch(path.name):
            for line in read_text(path, 'is no list of hashes').splitlines():
                match = _LINE.fullmatch(line.strip())
                if match and len(match['digest']) in _KINDS:
                    name = match['name'] or path.stem
                    kind = _KINDS[len(match['digest'])]
                    yield inside(path.parent, name, path), kind, match['digest'].lower(), path


def verify(root: str | Path) -> tuple[int, list[DataError]]:
    """Compare all files below a folder with the hashes that are known of them.

    Returns:
        Number of files that are as they should be, and an error for each of the others.
    """
    good, bad = 0, []
    for path, kind, digest, where in known_hashes(root):
        fix = f'Download, copy or make it again; its hash stands in {where}'
        if not path.is_file():
            bad.append(DataError('is not there', where=path, fix=fix))
        elif (found := _digest(path, kind)) != digest:
            what = f'{kind} is {found[:12]}..., expected {digest[:12]}...'
            bad.append(DataError(what, where=path, fix=fix))
        else:
            good += 1
    return good, bad


def _digest(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
