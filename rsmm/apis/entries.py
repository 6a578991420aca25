"""What the model zoo lists: experiments of this tree, and weights that others have released.

An experiment is a config under ``configs/``; the ``metafile.yml`` beside it adds results and the
address of released weights. A released file of another project is an entry of a metafile too: it
has a name of its own, the config it loads into and the converter that fits. All of it travels in
the wheel, see ``setup.py``.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import yaml

from rsmm.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class ZooEntry:
    """One experiment, or one released file.

    Attributes:
        name: File name of the config without ``.py``, or the name of the released file.
        config: The config.
        weights: Address of released weights, or ``zoo/<file>`` for a file that travels with the
            tree; None if there are none to fetch.
        sha256: Their hash, whole or its first digits, if the metafile states it.
        md5: The older hash that some authors publish, whole or its first digits.
        converter: Source to give :func:`rsmm.checkpoints.converters.convert`; None if the file fits
            the config as it is.
        options: Settings of the config that these weights ask for (bands, normalisation).
        metadata: Facts from the metafile, those of its collection included.
        results: Measured results from the metafile.
    """

    name: str
    config: Path
    weights: str | None = None
    sha256: str | None = None
    md5: str | None = None
    converter: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
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
    """Return all entries by name, sorted.

    Args:
        root: Folder with ``configs/``; default :func:`zoo_root`.

    Raises:
        ConfigError: Two entries share a name, or a metafile is not valid YAML.
    """
    root = zoo_root() if root is None else root
    described = _described(root)
    entries: dict[str, ZooEntry] = {}
    for config in sorted((root / 'configs').rglob('*.py')):
        if '_base_' in config.parts:
            continue
        if config.stem in entries:
            raise ConfigError(f'has the same name as {entries[config.stem].config}', where=config)
        facts = described.pop(config.stem, {})
        own = facts.get('Config') == config.relative_to(root).as_posix()
        entries[config.stem] = _entry(config.stem, config, facts if own else {})
    for name, facts in described.items():
        if (root / facts['Config']).is_file():
            entries[name] = _entry(name, root / facts['Config'], facts)
    return dict(sorted(entries.items()))


def _entry(name: str, config: Path, facts: dict) -> ZooEntry:
    metadata = dict(facts.get('Metadata') or {})
    hashes = {kind: metadata.pop(kind.upper(), None) for kind in ('sha256', 'md5')}
    for kind, value in hashes.items():
        if not isinstance(value, str | None):
            raise ConfigError(
                f'{kind.upper()} of {name} is a number to YAML: {value}',
                where=config.with_name('metafile.yml'),
                fix='Put it in quotes',
            )
    return ZooEntry(
        name=name,
        config=config,
        weights=facts.get('Weights'),
        **hashes,
        converter=metadata.pop('Converter', None),
        options=metadata.pop('Options', {}),
        metadata=metadata,
        results=tuple(facts.get('Results') or ()),
    )


def _described(root: Path) -> dict[str, dict]:
    """Read all metafiles: name of an entry to its facts, with its collection's metadata."""
    models: dict[str, dict] = {}
    for path in sorted((root / 'configs').glob('*/metafile.yml')):
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
        except yaml.YAMLError as error:
            raise ConfigError(f'is not valid YAML: {error}', where=path) from error
        collections = {item['Name']: item for item in content.get('Collections') or ()}
        for model in content.get('Models') or ():
            if model['Name'] in models:
                raise ConfigError(f'a second entry is called {model["Name"]}', where=path)
            shared = collections.get(model.get('In Collection'), {}).get('Metadata') or {}
            models[model['Name']] = {
                **model,
                'Metadata': {**shared, **(model.get('Metadata') or {})},
            }
    return models


def list_models(pattern: str = '*') -> list[str]:
    """List the entries whose name matches a shell pattern.

    >>> list_models('resnet18_scratch*eurosat-rgb')
    ['resnet18_scratch-12e_eurosat-rgb']
    """
    return fnmatch.filter(zoo_entries(), pattern)


def find_model(name: str) -> ZooEntry:
    """Return the entry of that name.

    Raises:
        ConfigError: There is none; the message offers the closest one.
    """
    entries = zoo_entries()
    if name not in entries:
        raise ConfigError(
            f"no experiment is called '{name}'.{did_you_mean(name, entries)}",
            where='model zoo',
            fix='rsmm.apis.list_models() or tools/zoo.py list name them',
        )
    return entries[name]


def names_entry(model: str | PathLike) -> bool:
    """Tell a zoo name from a path: no folder, no ``.py``, and no file of that name here."""
    text = str(model)
    return not text.endswith('.py') and '/' not in text and not Path(text).exists()


def entry_of(model: str | PathLike) -> ZooEntry:
    """Return the entry of a name or of a config file; any other config gets one without weights.

    Raises:
        ConfigError: No entry has that name.
    """
    if names_entry(model):
        return find_model(str(model))
    path = Path(model)
    known = zoo_entries().get(path.stem)
    same = known is not None and path.exists() and known.config.samefile(path)
    return known if same else ZooEntry(path.stem, path)
