"""Where the weights of a zoo entry are: beside the configs, in the cache, at a mirror or released.

A file without a published hash is trusted on first use only: its SHA-256 is noted beside it, and
from then on the file must have it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from rsmm.apis.entries import ZooEntry, entry_of, zoo_root
from rsmm.errors import CheckpointError, ConfigError, DownloadError
from rsmm.utils import atomic_write, sha256_file
from rsmm.utils.download import cache_dir, cached_path, digest_in_name, download

#: Stands for the entry's own weights wherever a checkpoint is named.
ZOO = 'zoo'
#: Environment variable: folder or address that has the files of all entries.
MIRROR = 'RSMM_ZOO'


def zoo_checkpoint(
    config: str | PathLike, checkpoint: str | PathLike | None
) -> str | PathLike | None:
    """Turn the word ``zoo`` into the file that an experiment's weights are in.

    Args:
        config: Name or config file of the experiment.
        checkpoint: Anything that names a checkpoint; all but ``'zoo'`` is returned unchanged.

    Raises:
        ConfigError: No weights have been released for the experiment.
        CheckpointError: The file is damaged or cannot be converted.
        DownloadError: The file cannot be fetched or has another hash.
    """
    return loadable_weights(entry_of(config)) if checkpoint == ZOO else checkpoint


def with_zoo_files(settings: Any) -> Any:
    """Replace ``checkpoint='zoo:NAME'`` of initialisations by the file of that entry.

    Args:
        settings: Settings of a model, nested in any way.

    Returns:
        A copy of its dictionaries and lists with paths in these places.

    Raises:
        ConfigError, CheckpointError, DownloadError: As :func:`zoo_checkpoint`.
    """
    if isinstance(settings, Mapping):
        kind: Any = type(settings)
        filled = kind((key, with_zoo_files(value)) for key, value in settings.items())
        checkpoint = filled.get('checkpoint')
        if isinstance(checkpoint, str) and checkpoint.startswith(f'{ZOO}:'):
            filled['checkpoint'] = str(loadable_weights(entry_of(checkpoint[len(ZOO) + 1 :])))
        return filled
    if isinstance(settings, list | tuple):
        return type(settings)(with_zoo_files(value) for value in settings)
    return settings


def loadable_weights(entry: ZooEntry, sha256: str | None = None) -> Path:
    """Return a file of weights that loads strictly into the entry's config; fetched if need be.

    Args:
        entry: Zoo entry.
        sha256: Hash to expect instead of the one that is published or noted.

    Raises:
        ConfigError, CheckpointError, DownloadError: As :func:`zoo_checkpoint`.
    """
    file = weights_file(entry, sha256)
    return file if entry.converter is None else _converted(entry, file)


def weights_file(entry: ZooEntry, sha256: str | None = None) -> Path:
    """Return the released file of an entry as its authors made it; see :func:`loadable_weights`."""
    if entry.weights is None:
        raise _not_released(entry)
    name = file_name(entry)
    expected = sha256 or entry.sha256 or digest_in_name(name)
    for folder in (zoo_root() / 'zoo', _mirror_folder()):
        if folder is not None and (folder / name).is_file():
            return _checked(folder / name, expected)
    return _fetched(entry, _address(entry, name), expected)


def file_name(entry: ZooEntry) -> str:
    """Return the name of an entry's file, the same at every place it is looked for."""
    return cached_path(entry.weights).name


def _mirror_folder() -> Path | None:
    mirror = os.environ.get(MIRROR, '')
    return Path(mirror).expanduser() if mirror and '://' not in mirror else None


def _address(entry: ZooEntry, name: str) -> str:
    mirror = os.environ.get(MIRROR, '')
    if '://' in mirror:
        return f'{mirror.rstrip("/")}/{name}'
    if '://' in entry.weights:
        return entry.weights
    raise ConfigError(
        f'its file {name} is neither in {zoo_root() / "zoo"} nor at a mirror',
        where=entry.name,
        fix=f'Copy it there, or set {MIRROR} to the folder or address that has it',
    )


def _fetched(entry: ZooEntry, url: str, expected: str | None) -> Path:
    """Download a file; without an expected hash, hold it to the one noted at its first use."""
    target = cached_path(url)
    note = target.with_name(f'{target.name}.sha256')
    if expected is None and note.is_file():
        expected = note.read_text(encoding='utf-8').strip()
    try:
        file = download(url, sha256=expected)
    except DownloadError as error:
        raise DownloadError(
            str(error),
            fix=f'By hand: fetch {entry.weights} and put it into a folder that {MIRROR} names',
        ) from error
    if expected is None:
        _check_first_use(entry, file)
        with atomic_write(note, 'w', encoding='utf-8') as stream:
            stream.write(f'{sha256_file(file)}\n')
    return file


def _check_first_use(entry: ZooEntry, file: Path) -> None:
    """Refuse a web page or a file of another MD5 before its hash is noted, and remove it."""
    from rsmm.checkpoints.files import check_container

    try:
        check_container(file)
    except CheckpointError:
        file.unlink()
        raise
    if entry.md5 is None:
        return
    with open(file, 'rb') as stream:
        found = hashlib.file_digest(stream, 'md5').hexdigest()
    if not found.startswith(entry.md5):
        file.unlink()
        raise DownloadError(
            f'md5 is {found}, expected {entry.md5}',
            where=entry.weights,
            fix='The bad file was removed; try again, and if it repeats the source has changed',
        )


def _checked(file: Path, expected: str | None) -> Path:
    found = sha256_file(file) if expected else ''
    if expected and not found.startswith(expected.lower()):
        raise DownloadError(
            f'sha256 is {found[: len(expected)]}, expected {expected}',
            where=file,
            fix='The file was changed or cut; restore it from the release',
        )
    return file


def _converted(entry: ZooEntry, file: Path) -> Path:
    """Convert a foreign file once; the result is kept in the cache under the file's hash."""
    target = cache_dir() / 'converted' / f'{sha256_file(file)[:16]}-{entry.converter}.safetensors'
    if target.is_file():
        return target
    from safetensors.torch import save

    from rsmm.checkpoints.converters import convert, read_foreign_checkpoint

    conversion = convert(read_foreign_checkpoint(file), entry.converter, where=file)
    state = {f'backbone.{key}': value.contiguous() for key, value in conversion.state_dict.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as stream:
        stream.write(save(state))
    return target


def _not_released(entry: ZooEntry) -> ConfigError:
    page = entry.metadata.get('Download Page')
    if page:
        return ConfigError(
            'its authors release the weights behind a page that only a browser can use',
            where=entry.name,
            fix=f'Fetch the file from {page}, then pass it: pretrained=PATH',
        )
    return ConfigError(
        'no weights have been released for this experiment',
        where=entry.name,
        fix='Train it, then pass the checkpoint: pretrained=PATH',
    )
