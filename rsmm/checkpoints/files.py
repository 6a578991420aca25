"""Checkpoint files: read as weights only, written all or nothing.

Importing this module also replaces mmengine's loaders, which unpickle anything when weights-only
loading fails, so ``init_cfg=dict(type='Pretrained', ...)``, ``load_from`` and
``Runner.load_checkpoint`` follow the same rule.
"""

from __future__ import annotations

import difflib
import errno
import logging
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlparse
from urllib.request import url2pathname

import torch
from mmengine.logging import print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from rsmm.checkpoints.plain_numpy import finished
from rsmm.checkpoints.safe_pickle import foreign_names, harmless_globals
from rsmm.errors import CheckpointError, did_you_mean
from rsmm.utils import atomic_write
from rsmm.utils.download import download

TRUST_VARIABLE = 'RSMM_TRUST_CHECKPOINT'
_SUFFIXES = ('.pth', '.pt', '.ckpt', '.safetensors')
_WEB_PAGE = (b'<!doctype', b'<html', b'<?xml', b'{"')
_LFS_POINTER = b'version https://git-lfs'
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def trusts_checkpoints() -> bool:
    """Whether the environment (``RSMM_TRUST_CHECKPOINT=1``) allows checkpoints that carry code."""
    return os.environ.get(TRUST_VARIABLE, '').lower() in ('1', 'true', 'yes')


def load_checkpoint_file(
    source: str | os.PathLike,
    map_location: str | torch.device | Callable | None = 'cpu',
    trust: bool = False,
) -> dict:
    """Read a checkpoint from a file or address, as weights only.

    Tensors, numbers, strings and plain containers load, and with them the few data classes that
    stock OpenMMLab checkpoints hold. Everything else is refused.

    Args:
        source: ``.pth``, ``.pt``, ``.ckpt`` or ``.safetensors`` file, by its path or as
            ``file://``, or an ``http(s)://`` address, which is fetched into the cache first.
        map_location: As in :func:`torch.load`.
        trust: Load a file that carries code, running that code. ``RSMM_TRUST_CHECKPOINT=1`` does
            the same. Only for files whose origin you know.

    Returns:
        What the file holds, a dict.

    Raises:
        CheckpointError: The file is absent, damaged, no checkpoint, or carries code.
        DownloadError: The address cannot be fetched.
    """
    if str(source).startswith(('http://', 'https://')):
        path = download(str(source))
    else:
        path = _local(source)
        _check_exists(path)
    map_location = 'cpu' if map_location is None else map_location
    if path.suffix == '.safetensors':
        checkpoint: object = _read_safetensors(path, map_location)
    else:
        check_container(path)
        checkpoint = _read_pickle(path, map_location, trust or trusts_checkpoints())
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f'holds a {type(checkpoint).__name__}, expected a dict of weights', where=path
        )
    return checkpoint


def _local(source: str | os.PathLike) -> Path:
    """Path of a file on this machine, also of ``file:///...`` with its escapes."""
    if str(source).startswith('file://'):
        return Path(url2pathname(urlparse(str(source)).path))
    return Path(source).expanduser()


def save_checkpoint_file(obj: dict, path: str | os.PathLike) -> None:
    """Write a checkpoint so that ``path`` holds either the old file or the complete new one.

    Args:
        obj: What to store.
        path: Target; its folder is made if absent.

    Raises:
        CheckpointError: The file could not be written; names the free space. An existing file is
            left as it was.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            torch.save(obj, cast(IO[bytes], _ErrorKeeper(file)))
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_pointer(folder: str | os.PathLike, checkpoint: str | os.PathLike) -> None:
    """Write ``last_checkpoint``, from which ``--resume`` finds the newest file.

    Raises:
        CheckpointError: The file could not be written.
    """
    path = Path(folder) / 'last_checkpoint'
    try:
        with atomic_write(path, 'w', encoding='utf-8') as file:
            file.write(str(checkpoint))
    except OSError as error:
        raise _cannot_write(path, error) from error


class _ErrorKeeper:
    """File proxy that lets the first write error through torch's C++ writer unchanged.

    The writer turns an exception of ``write`` into one of its own and goes on writing while it
    unwinds; later writes are swallowed here and the original error is raised by :meth:`flush`.
    """

    def __init__(self, file) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data) -> int:
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
        return len(memoryview(data).cast('B')) if not isinstance(data, bytes) else len(data)

    def flush(self) -> None:
        if self.error is not None:
            raise self.error
        self.file.flush()


def _cannot_write(path: Path, error: OSError) -> CheckpointError:
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free / 2**20
    what = 'no space left' if error.errno in _OUT_OF_SPACE else (error.strerror or str(error))
    return CheckpointError(
        f'the checkpoint could not be written: {what} ({free:.0f} MiB free)',
        where=path,
        fix='An earlier file of that name is untouched. Free space or choose another --work-dir, '
        'then go on with --resume',
    )


def _check_exists(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        files = sorted(entry.name for entry in path.iterdir() if entry.suffix in _SUFFIXES)
        raise CheckpointError(
            'is a folder, expected a checkpoint file',
            where=path,
            fix=f'It holds {", ".join(files[:5])}' if files else None,
        )
    names: list[str] = []
    if path.parent.is_dir():
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES]
    # Numbers differ in one digit only, so several neighbours help more than the single closest.
    close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    hint = f' Close names there: {", ".join(close)}' if len(close) > 1 else ''
    raise CheckpointError(
        f'no such checkpoint.{hint or did_you_mean(path.name, names)}', where=path
    )


def check_container(path: Path) -> None:
    """Tell a damaged or foreign file from a checkpoint before anything is unpickled.

    Raises:
        CheckpointError: It is empty, cut, a web page or a pointer to a file elsewhere.
    """
    with open(path, 'rb') as file:
        head = file.read(512)
    if not head:
        raise _damaged(path, 'the file is empty')
    if head.lstrip().lower().startswith(_WEB_PAGE):
        raise CheckpointError(
            'is a web page or a text answer of a server, not a checkpoint',
            where=path,
            fix='The download link has probably expired or needs a log-in; fetch the file anew',
        )
    if head.startswith(_LFS_POINTER):
        raise CheckpointError(
            'is a Git LFS pointer, not the file itself', where=path, fix='Run git lfs pull'
        )
    if head.startswith(b'PK\x03\x04'):
        try:
            if not zipfile.is_zipfile(path):
                raise _damaged(path, 'the end of the file is missing')
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()  # torch itself does not look at the checksums
        except CheckpointError:
            raise
        except Exception as error:  # damaged bytes make it fail in any way there is
            raise _damaged(path, str(error)) from error
        if broken is not None:
            raise _damaged(path, f'the checksum of {broken} does not fit')


def _damaged(path: Path, what: str) -> CheckpointError:
    size = path.stat().st_size
    return CheckpointError(
        f'is damaged or truncated ({size} bytes): {what}',
        where=path,
        fix='Copy or download it again, or use an earlier checkpoint',
    )


def _read_pickle(path: Path, map_location, trusted: bool) -> object:
    try:
        with torch.serialization.safe_globals([*harmless_globals()]):
            return finished(torch.load(path, map_location=map_location, weights_only=True))
    except Exception as error:  # damaged bytes make the unpickler fail in any way there is
        try:
            names = foreign_names(path)
        except Exception as worse:  # not even to be looked through
            raise _damaged(path, str(worse).partition('\n')[0]) from error
        if 'map_location' in str(error) and not names:  # saved on a device this machine lacks
            raise CheckpointError(str(error).partition('\n')[0], where=path) from error
        if not names:
            what = str(error).partition('\n')[0]
            if 'weights_only' in what:  # torch would advise to run whatever is in there
                what = 'it does not read as a file of torch.save'
            raise _damaged(path, what) from error
        if not trusted:
            raise CheckpointError(
                f'refers to code that weights do not need: {", ".join(names)}',
                where=path,
                fix='Loading it would run that code. If you trust its origin, use '
                f'--trust-checkpoint, {TRUST_VARIABLE}=1 or trust=True; to keep only its tensors, '
                'run tools/model_converters/convert.py',
            ) from error
    print_log(
        f'{path} is trusted: loading it runs {", ".join(names)}',
        logger='current',
        level=logging.WARNING,
    )
    return torch.load(path, map_location=map_location, weights_only=False)


def _read_safetensors(path: Path, map_location) -> dict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    device = 'cpu' if callable(map_location) else str(map_location)
    try:
        return load_file(path, device=device)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _load_from_local(filename: str, map_location=None) -> dict:
    return load_checkpoint_file(filename, map_location)


def _load_from_http(filename: str, map_location=None, **_) -> dict:
    return load_checkpoint_file(filename, map_location)


def _load_from_torchvision(filename: str, map_location=None) -> dict:
    return load_checkpoint_file(
        _address(mmengine_checkpoint.get_torchvision_models(), filename), map_location
    )


def _load_from_openmmlab(filename: str, map_location=None) -> dict:
    known = mmengine_checkpoint.get_external_models()
    renamed = mmengine_checkpoint.get_deprecated_model_names()
    name = filename.split('://', 1)[1]
    return load_checkpoint_file(
        _address(known, f'openmmlab://{renamed.get(name, name)}'), map_location
    )


def _load_from_mmcls(filename: str, map_location=None) -> dict:
    url = _address(mmengine_checkpoint.get_mmcls_models(), filename)
    state = load_checkpoint_file(url, map_location)
    state = state.get('state_dict', state)
    prefix = 'backbone.'
    return {
        'state_dict': {
            key.removeprefix(prefix): value
            for key, value in state.items()
            if key.startswith(prefix)
        }
    }


def _load_from_store(filename: str, map_location=None, **_) -> dict:
    raise CheckpointError(
        'checkpoints are not read from object stores', where=filename, fix='Copy it to a disk'
    )


def _address(known: dict[str, str], filename: str) -> str:
    name = filename.split('://', 1)[1]
    if name not in known:
        raise CheckpointError(
            f"no weights are known by the name '{name}'.{did_you_mean(name, known)}",
            where=filename,
        )
    return known[name]


def register_loaders() -> None:
    """Make mmengine read every checkpoint through :func:`load_checkpoint_file`."""
    loaders = {
        ('',): _load_from_local,
        ('http://', 'https://'): _load_from_http,
        ('torchvision://', 'modelzoo://'): _load_from_torchvision,
        ('open-mmlab://', 'openmmlab://'): _load_from_openmmlab,
        ('mmcls://',): _load_from_mmcls,
        (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://'): _load_from_store,
    }
    for prefixes, loader in loaders.items():
        loader.__name__ = loader.__name__.removeprefix('_')  # mmengine logs 'load_from_<scheme>'
        CheckpointLoader.register_scheme(prefixes, loader, force=True)
    # mmengine's own calls go through this module-level name.
    mmengine_checkpoint.load_from_http = _load_from_http


register_loaders()
