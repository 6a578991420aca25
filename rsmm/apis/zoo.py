"""The model zoo: what experiments there are, and models built from them.

An experiment is a config under ``configs/``; the ``metafile.yml`` beside it adds results and the
address of released weights. Both travel in the wheel, see ``setup.py``.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from rsmm.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ZooEntry:
    """One experiment.

    Attributes:
        name: File name of the config without ``.py``.
        config: The config.
        weights: Address of released weights, if there are any.
        sha256: Their hash, whole or its first digits, if the metafile states it.
        metadata: Facts from the metafile, those of its collection included.
        results: Measured results from the metafile.
    """

    name: str
    config: Path
    weights: str | None = None
    sha256: str | None = None
    metadata: dict = field(default_factory=dict)
    results: tuple[dict, ...] = ()


def zoo_root() -> Path:
    """Return the folder that holds ``configs/``: the checkout, or ``rsmm/.mim`` of a wheel.

    Raises:
        ConfigError: There is neither, because the package was copied without them.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package.parent, package / '.mim'):
        if (root / 'configs' / '_base_').is_dir():
            return root
    raise ConfigError('the installation has no configs', where=package, fix='Install rsmm anew')


def zoo_entries(root: Path | None = None) -> dict[str, ZooEntry]:
    """Return all experiments by name, sorted.

    Args:
        root: Folder with ``configs/``; default :func:`zoo_root`.

    Raises:
        ConfigError: Two configs share a name, or a metafile is not valid YAML.
    """
    root = zoo_root() if root is None else root
    described = _described(root)
    entries: dict[str, ZooEntry] = {}
    for config in sorted((root / 'configs').rglob('*.py'), key=lambda path: path.stem):
        if '_base_' in config.parts:
            continue
        if config.stem in entries:
            raise ConfigError(f'has the same name as {entries[config.stem].config}', where=config)
        facts = described.get(config.relative_to(root).as_posix(), {})
        metadata = dict(facts.get('Metadata') or {})
        sha256 = metadata.pop('SHA256', None)
        if not isinstance(sha256, str | None):
            raise ConfigError(
                f'SHA256 of {config.stem} is a number to YAML: {sha256}',
                where=config.with_name('metafile.yml'),
                fix='Put it in quotes',
            )
        entries[config.stem] = ZooEntry(
            name=config.stem,
            config=config,
            weights=facts.get('Weights'),
            sha256=sha256,
            metadata=metadata,
            results=tuple(facts.get('Results') or ()),
        )
    return entries


def _described(root: Path) -> dict[str, dict]:
    """Read all metafiles: path of the config to its entry, with its collection's metadata."""
    models: dict[str, dict] = {}
    for path in sorted((root / 'configs').glob('*/metafile.yml')):
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
        except yaml.YAMLError as error:
            raise ConfigError(f'is not valid YAML: {error}', where=path) from error
        collections = {item['Name']: item for item in content.get('Collections') or ()}
        for model in content.get('Models') or ():
            shared = collections.get(model.get('In Collection'), {}).get('Metadata') or {}
            models[model['Config']] = {
                **model,
                'Metadata': {**shared, **(model.get('Metadata') or {})},
            }
    return models


def list_models(pattern: str = '*') -> list[str]:
    """List the experiments whose name matches a shell pattern.

    >>> list_models('resnet18_scratch*eurosat-rgb')
    ['resnet18_scratch-12e_eurosat-rgb']
    """
    return fnmatch.filter(zoo_entries(), pattern)


def find_model(name: str) -> ZooEntry:
    """Return the experiment of that name.

    Raises:
        ConfigError: There is none; the message offers the closest one.
    """
    entries = zoo_entries()
    if name not in entries:
        raise ConfigError(
            f"no experiment is called '{name}'.{did_you_mean(name, entries)}",
            where='model zoo',
            fix='rsmm.apis.list_models() lists them',
        )
    return entries[name]


def get_model(
    model: str | PathLike,
    pretrained: bool | str | PathLike = False,
    device: str = 'cpu',
    **settings,
) -> nn.Module:
    """Build the model of an experiment.

    Args:
        model: Name of an experiment, or a config file.
        pretrained: False: initialised as at the start of a training. True: released weights. A
            path or address: that checkpoint.
        device: Where to put it.
        **settings: Settings of the model to change, e.g. ``head=dict(num_classes=4)``.

    Returns:
        The model in evaluation mode if it is pretrained, else in training mode.

    Raises:
        ConfigError: The experiment is unknown or has no released weights.
        CheckpointError: The checkpoint cannot be read or belongs to another model.
        DownloadError: The weights cannot be fetched.
    """
    from rsmm.apis.model import RANDOM, build_model

    entry = _entry(model)
    checkpoint = _checkpoint(entry, pretrained)
    options = {'model': settings} if settings else None
    net = build_model(entry.config, checkpoint or RANDOM, device=device, options=options)
    return net.train(checkpoint is None)


def _entry(model: str | PathLike) -> ZooEntry:
    if str(model).endswith('.py'):
        path = Path(model)
        known = zoo_entries().get(path.stem)
        same = known is not None and path.exists() and known.config.samefile(path)
        return known if same else ZooEntry(path.stem, path)
    return find_model(str(model))


def _checkpoint(entry: ZooEntry, pretrained: bool | str | PathLike) -> str | PathLike | None:
    """Return the file to load, fetched if need be."""
    from rsmm.utils.download import download

    if pretrained is False:
        return None
    if pretrained is not True:
        return pretrained
    if entry.weights is None:
        raise ConfigError(
            'no weights have been released for this experiment',
            where=entry.name,
            fix='Train it, then pass the checkpoint: pretrained=PATH',
        )
    return download(entry.weights, sha256=entry.sha256)
