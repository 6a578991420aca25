"""Models as folders in the layout of the Hugging Face hub: written, and read back by address.

A folder holds ``config.json`` (the model's settings and the hash of its weights),
``model.safetensors`` and ``README.md``, the card. Nothing in it is run: settings name entries of
the registries, weights are tensors.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from rsmm.apis.config import load_config, model_settings
from rsmm.apis.model import build_model
from rsmm.errors import ConfigError
from rsmm.utils import atomic_write, sha256_file
from rsmm.utils.download import download
from rsmm.version import __version__

if TYPE_CHECKING:
    import torch
    from torch import nn

HUB = 'hf://'
_SPEC = re.compile(r'hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?')
_FILES = ('config.json', 'model.safetensors')
_ENTRY = re.compile(
    r'(?:(?P<scope>rsmm|mmpretrain|mmdet|mmseg|mmcv|mmengine)\.)?(?P<name>[A-Za-z]\w*)'
)
_OTHER_WEIGHTS = ('init_cfg', 'pretrained', 'checkpoint_path')


def half_weights(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict with its matrices and filters in half precision, ready to be saved.

    Biases, norms and their statistics stay as they are: they are few, and their range is wide.
    """
    return {
        key: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for key, value in state.items()
    }


def write_weights(state: Mapping[str, torch.Tensor], path: str | PathLike) -> str:
    """Write tensors as safetensors, all or nothing, and return the SHA-256 of the file."""
    from safetensors.torch import save

    with atomic_write(path) as stream:
        stream.write(save({key: value.contiguous() for key, value in state.items()}))
    return sha256_file(path)


def write_folder(
    config: str | PathLike,
    checkpoint: str | PathLike,
    folder: str | PathLike,
    card: str = '',
    half: bool = False,
) -> Path:
    """Write a model as a folder that :func:`hub_model` reads once it is uploaded.

    Args:
        config: Name or config file of the experiment.
        checkpoint: Its weights; loaded strictly before anything is written.
        folder: Folder to write, made if absent.
        card: Text of ``README.md``.
        half: Write matrices and filters in half precision.

    Returns:
        The folder.

    Raises:
        ConfigError: The config cannot be read.
        CheckpointError: The checkpoint does not fit.
    """
    settings = model_settings(load_config(config))
    state = build_model(config, checkpoint).state_dict()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = write_weights(half_weights(state) if half else state, folder / 'model.safetensors')
    about = {
        'library_name': 'rsmm',
        'rsmm_version': __version__,
        'name': Path(config).stem,
        'sha256': sha256,
        'model': _without_init(Config(dict(model=settings)).to_dict()['model']),
    }
    with atomic_write(folder / 'config.json', 'w', encoding='utf-8') as stream:
        json.dump(about, stream, indent=2)
    with atomic_write(folder / 'README.md', 'w', encoding='utf-8') as stream:
        stream.write(card or f'# {about["name"]}\n')
    return folder


def hub_model(spec: str, device: str = 'cpu', sha256: str | None = None) -> nn.Module:
    """Fetch a model by ``hf://owner/name@revision`` and build it, in evaluation mode.

    The revision defaults to ``main``; a commit is better, for ``main`` stays in the cache as it was
    when it was first fetched. ``HF_ENDPOINT`` names another server of the same protocol.

    Args:
        spec: Where the model is.
        device: Where to put it.
        sha256: Hash that the weights must have; default the one in ``config.json``.

    Raises:
        ConfigError: The address is not of that form, or ``config.json`` describes no model.
        CheckpointError: The weights do not fit it.
        DownloadError: A file cannot be fetched or has another hash.
    """
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ConfigError('is not hf://owner/name or hf://owner/name@revision', where=spec)
    endpoint = os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')
    base = f'{endpoint}/{found["repo"]}/resolve/{found["revision"] or "main"}'
    about = _read_config(download(f'{base}/{_FILES[0]}'), spec)
    weights = download(f'{base}/{_FILES[1]}', sha256=sha256 or about.get('sha256'))
    config = Config(dict(model=about['model'], default_scope='rsmm'))
    return build_model(config, weights, device=device)


def _read_config(path: Path, spec: str) -> dict:
    try:
        about = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        path.unlink(missing_ok=True)  # a page of an error, say: the next try fetches it anew
        raise ConfigError(f'config.json is not JSON: {error}', where=spec) from error
    model = about.get('model') if isinstance(about, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get('type'), str):
        raise ConfigError(
            'config.json describes no model of rsmm',
            where=spec,
            fix='It takes folders that publish_model.py --folder wrote',
        )
    _check_types(model, spec)
    return {**about, 'model': _without_init(model)}


def _without_init(settings):
    """Drop what names further weights, everywhere: the weights are in the file."""
    if isinstance(settings, Mapping):
        kept = {key: value for key, value in settings.items() if key not in _OTHER_WEIGHTS}
        return {key: _without_init(value) for key, value in kept.items()}
    if isinstance(settings, list | tuple):
        return [_without_init(value) for value in settings]
    return settings


def _check_types(settings, spec: str) -> None:
    """Refuse a ``type`` that is not a plain name of a registry.

    A name that no registry knows is otherwise looked up as something to import and call, and these
    settings come from elsewhere.

    Raises:
        ConfigError: A ``type`` is dotted, of another package, or the name of a module.
    """
    if isinstance(settings, list | tuple):
        for value in settings:
            _check_types(value, spec)
    if not isinstance(settings, Mapping):
        return
    for key, value in settings.items():
        if key == 'type' and not _is_entry(value):
            raise ConfigError(
                f'config.json asks for {value!r}, which is not an entry of a registry',
                where=spec,
                fix='Do not use this model; nothing of it was run',
            )
        _check_types(value, spec)


def _is_entry(name: Any) -> bool:
    found = _ENTRY.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        return False
    if found['scope'] is None:
        return importlib.util.find_spec(name) is None
    return not hasattr(importlib.import_module(found['scope']), found['name'])


def publish_zoo_file(
    config: str | PathLike, checkpoint: str | PathLike, folder: str | PathLike, half: bool = False
) -> Path:
    """Write an experiment's weights for the ``zoo/`` folder: ``<name>-<hash>.safetensors``.

    Args:
        config: Name or config file of the experiment.
        checkpoint: Its weights; loaded strictly before anything is written.
        folder: Folder to write to, made if absent.
        half: Write matrices and filters in half precision.

    Returns:
        The file; the digits in its name are the first eight of its SHA-256.

    Raises:
        ConfigError, CheckpointError: As :func:`write_folder`.
    """
    state = build_model(config, checkpoint).state_dict()
    folder, name = Path(folder), Path(config).stem
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f'.{name}.safetensors'
    sha256 = write_weights(half_weights(state) if half else state, draft)
    target = folder / f'{name}-{sha256[:8]}.safetensors'
    os.replace(draft, target)
    return target
