"""Loading configs the way the command line needs it.

``--cfg-options data_root=DIR`` must reach every place that uses the variable ``data_root``, and so
must ``data_root = ...`` in a child config. mmengine resolves variables while it reads a file, so
there either changes nothing but the variable. Here both take effect wherever the variable is used
(:mod:`rsmm.apis.variables`), or the place that stands in the way is named.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

from rsmm.apis import variables
from rsmm.apis.entries import find_model, names_entry, zoo_root
from rsmm.apis.variables import Sources
from rsmm.errors import ConfigError, RsmmError, did_you_mean

#: Top-level keys that the runner and the tools read.
KNOWN_KEYS = frozenset(
    [
        'model',
        'work_dir',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'train_cfg',
        'val_cfg',
        'test_cfg',
        'auto_scale_lr',
        'optim_wrapper',
        'param_scheduler',
        'val_evaluator',
        'test_evaluator',
        'default_hooks',
        'custom_hooks',
        'custom_imports',
        'data_preprocessor',
        'load_from',
        'resume',
        'launcher',
        'env_cfg',
        'log_processor',
        'log_level',
        'visualizer',
        'vis_backends',
        'default_scope',
        'randomness',
        'experiment_name',
        'runner_type',
        'sync_bn',
        'find_unused_parameters',
        'model_wrapper_cfg',
        'tta_model',
        'tta_pipeline',
        'train_pipeline',
        'val_pipeline',
        'test_pipeline',
        'compile',
    ]
)


#: Those that are settings of the run. A pipeline is a variable: a run has it from its loaders.
SETTINGS = KNOWN_KEYS - {'train_pipeline', 'val_pipeline', 'test_pipeline'}


def load_config(path: str | os.PathLike, options: Mapping[str, object] | None = None) -> Config:
    """Read a config and apply command-line options to it.

    Args:
        path: Config file, or the name of a zoo entry, whose own options apply first.
        options: ``{'a.b.c': value}``; a key without dots that the config or one of its bases
            assigns takes effect wherever that variable is used. A dict is merged.

    Returns:
        The merged config; its ``filename`` is ``path``.

    Raises:
        ConfigError: The file is missing or broken, or an option or a top-level key does not exist;
            the message names the closest one.
    """
    if names_entry(path):
        entry = find_model(str(path))
        path, options = entry.config, {**entry.options, **(options or {})}
    path = Path(path)
    if path.is_dir():
        fix = 'Name one of the .py files in it'
        raise ConfigError('this is a folder; a config is a file.', where=path, fix=fix)
    if not path.is_file():
        siblings = (
            [entry.name for entry in path.parent.glob('*.py')] if path.parent.is_dir() else []
        )
        raise ConfigError(f'no such config.{did_you_mean(path.name, siblings)}', where=path)
    # Merging takes `_delete_` out of the dicts that it is given; the caller may use them again.
    options = {key: copy.deepcopy(_parsed(value)) for key, value in (options or {}).items()}
    with _explained(path):
        config, sources = variables.read_sources(path)
        known = sources.names()
        values = {
            name: options.pop(name)
            for name, value in list(options.items())
            if name in known and not isinstance(value, Mapping)
        }
        config = _with_variables(path, config, sources, values)
    _check_top_level(config, path, sources)
    for key in options:
        _check_option(config, key)
    try:
        config.merge_from_dict(options)
    except (TypeError, KeyError, AttributeError) as error:
        raise ConfigError(str(error), where=f'--cfg-options {" ".join(options)}') from error
    return config


@contextlib.contextmanager
def default_scope(config: Config) -> Iterator[None]:
    """Look names of entries up first in the registries that a config asks for."""
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'rsmm'):
        yield


def model_settings(config: Config) -> dict:
    """Return the settings of a config's model as the runner completes them.

    The preprocessor joins them, and ``in_channels='auto'`` is replaced.
    """
    from rsmm.models.channels import fill_channels

    settings = {**config.model}
    if config.get('data_preprocessor') is not None:
        settings.setdefault('data_preprocessor', config.data_preprocessor)
    with default_scope(config):
        return fill_channels(settings, config.filename)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what may go wrong while a config is read into one line that names the file."""
    try:
        yield
    except RsmmError:
        raise
    except ImportError as error:
        raise ConfigError(
            f'{str(error).splitlines()[0]} ({error.__cause__ or "not found"})',
            where=path,
            fix='custom_imports looks on the path of Python: start with PYTHONPATH=FOLDER that '
            'holds the package, or install it',
        ) from error
    except Exception as error:  # a config is a program: it may raise anything
        if 'Duplicate key is not allowed among bases' in str(error):
            names = str(error).rpartition('keys: ')[2].strip('"')
            raise ConfigError(
                f'two of its bases set the same: {names}',
                where=path,
                fix='Keep one of them in _base_ and set here what the other would have set',
            ) from error
        raise ConfigError(f'cannot be read as a config: {error}', where=path) from error


def _parsed(value: object) -> object:
    """Read a dict that the command line handed over as text."""
    if isinstance(value, str) and value.strip().startswith('{'):
        with contextlib.suppress(ValueError, SyntaxError):
            return ast.literal_eval(value)
    return value


def _with_variables(
    path: Path, config: Config, sources: Sources, values: Mapping[str, object]
) -> Config:
    """Read a config again with the variables that options or child configs set anew.

    Raises:
        ConfigError: A value cannot take effect somewhere.
    """
    for name in values:
        place = sources.unsettable(name)
        if place is not None:
            raise _refused(name, place, 'a loop or a with statement sets it')
    changed, keep = _set_anew(config, sources, values)
    if not changed and not values:
        return config
    before = config
    for _ in range(4):  # a child's value may follow from another variable: until nothing moves
        config = variables.read(path, {**changed, **values}, keep)
        moved = {
            name: value
            for name, value in variables.plain(config).items()
            if name in changed and value != changed[name]
        }
        if not moved:
            break
        changed |= moved
    else:
        name = min(moved)
        raise _refused(name, variables.line_of(sources, (name,)), 'its value builds on itself')
    _check_effect(before, config, sources, {**changed, **values}, keep)
    return config if values or _read_by_a_run(before) != _read_by_a_run(config) else before


def _read_by_a_run(config: Config) -> dict[str, object]:
    """Return what the runner reads, without the variables beside it."""
    return {key: part for key, part in variables.plain(config).items() if key in SETTINGS}


def _set_anew(
    config: Config, sources: Sources, values: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, Path]]:
    """Return variables that a child sets over its bases, and the files that have the last word.

    A dict is none: it is merged. A setting of the run is none: it stands for itself. Configs of
    other packages are read as they are.
    """
    changed, keep = {}, {}
    found = variables.plain(config)
    for name in sorted(sources.names() - set(values) - SETTINGS):
        first, *others = sources.setting(name)
        value = found.get(name)
        if not others or isinstance(value, Mapping) or _of_a_sister(first):
            continue
        if variables.is_literal(value) and name in found:
            changed[name], keep[name] = value, first
    return changed, keep


def _of_a_sister(file: Path) -> bool:
    """Whether a config came with another package; rsmm's own wheel carries its configs alike."""
    return '.mim' in file.parts and not file.is_relative_to(zoo_root().resolve())


def _check_effect(
    before: Config,
    after: Config,
    sources: Sources,
    values: Mapping[str, object],
    keep: Mapping[str, Path],
) -> None:
    """Refuse a value where a config stands between a base that uses it and the result.

    A child that sets a variable and a place that used it means both.
    """
    old, new = (dict(variables.flat(config)) for config in (before, after))
    files = list(sources.texts)
    former = variables.plain(before)
    for name, value in values.items():
        if name not in keep and value == former.get(name):
            continue  # an option that repeats what stands there: nothing is to change
        for file in sources.setting(name):
            if file in (files[0], keep.get(name)):
                continue
            base, wanted = _results_of(file, name, value)
            for key, result in wanted.items():
                stands = key in new and new[key] == old.get(key) != result
                if key[0] == name or base.get(key) == result or not stands:
                    continue
                place = variables.line_of(sources, key)
                own = name in keep and (
                    place is None or files.index(place[0]) <= files.index(keep[name])
                )
                if not own and _same_types(key, wanted, new):
                    raise _refused(name, place or (files[0], 1), f"'{_dotted(key)}' is set there")


def _results_of(file: Path, name: str, value: object) -> tuple[dict, dict]:
    """Leaves of a base file as it is, and with another value of one variable."""
    readings = (variables.read_sources(file)[0], variables.read(file, {name: value}, {}))
    base, wanted = (dict(variables.flat(config)) for config in readings)
    return base, wanted


def _same_types(key: tuple, first: Mapping, second: Mapping) -> bool:
    """Tell whether a leaf belongs to entries of the same types in two configs."""
    parents = [(*key[:depth], 'type') for depth in range(1, len(key))]
    return all(first.get(parent) == second.get(parent) for parent in parents)


def _dotted(key: tuple) -> str:
    return '.'.join(map(str, key))


def _refused(name: str, place: tuple[Path, int], reason: str) -> ConfigError:
    return ConfigError(
        f"'{name}' would not take effect everywhere: {reason}",
        where=f'{place[0]}:{place[1]}',
        fix=f"Write '{name}' there, or set that place itself",
    )


def _check_top_level(config: Config, path: Path, sources: Sources) -> None:
    """Refuse a key that is one edit away from a key the runner reads and that nothing uses."""
    for key in set(config) - KNOWN_KEYS:
        close = [name for name in sorted(KNOWN_KEYS) if _one_edit(key, name)]
        if close and not sources.uses(key):
            raise ConfigError(
                f"'{key}' is not a key of a config. Did you mean '{close[0]}'?", where=path
            )


def _one_edit(first: str, second: str) -> bool:
    """Tell whether two words differ by one letter: added, left out, changed or swapped."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return False
    equal = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    head = len(list(equal))
    first, second = first[head:], second[head:]
    swapped = first[1:2] + first[:1] + first[2:]
    return (
        first[1:] == second or first == second[1:] or first[1:] == second[1:] or swapped == second
    )


def _check_option(config: Config, key: str) -> None:
    """Refuse an option whose parent does not exist."""
    node: object = variables.plain(config)
    parts = key.split('.')
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(node, list | tuple):
            if not part.isdigit() or int(part) >= len(node):
                raise ConfigError(
                    f"'{part}' is not an index of a list of {len(node)}",
                    where=f'--cfg-options {key}',
                )
            node = node[int(part)]
        elif isinstance(node, Mapping):
            known = set(node) | (KNOWN_KEYS if depth == 0 else set())
            # Below the top level the last part may add a setting; its class checks the name.
            if part not in known and not (last and depth > 0):
                raise ConfigError(
                    f"there is no '{'.'.join(parts[: depth + 1])}' in the config."
                    f'{did_you_mean(part, known)}',
                    where=f'--cfg-options {key}',
                )
            node = node.get(part)
            if node is None:
                return
        else:
            raise ConfigError(
                f"'{'.'.join(parts[:depth])}' holds {node!r} and has no '{part}'",
                where=f'--cfg-options {key}',
            )
