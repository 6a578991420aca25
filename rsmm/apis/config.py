"""Loading configs the way the command line needs it.

``--cfg-options data_root=DIR`` must reach every place that uses the variable ``data_root``.
mmengine resolves variables while it reads the file, before options are merged, so there the option
changes nothing but the variable. Here an option that names a plain top-level variable is applied to
the line that assigns it, and the config is read from that.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

from rsmm.apis.entries import find_model, names_entry
from rsmm.errors import ConfigError, did_you_mean

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
    if not path.is_file():
        siblings = (
            [entry.name for entry in path.parent.glob('*.py')] if path.parent.is_dir() else []
        )
        raise ConfigError(f'no such config.{did_you_mean(path.name, siblings)}', where=path)
    options = dict(options or {})
    sources = _sources(path.resolve())
    assigned = {_assigned(node) for tree in sources.values() for node in tree.body}
    variables = {
        name: options.pop(name)
        for name, value in list(options.items())
        if name in assigned and not isinstance(value, Mapping)
    }
    config = _read(path, sources, variables) if variables else _from_file(path)
    _check_top_level(config, path)
    for key in options:
        _check_option(config, key)
    config.merge_from_dict(options)
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


def _from_file(path: Path) -> Config:
    try:
        return Config.fromfile(str(path))
    except (SyntaxError, NameError, KeyError, FileNotFoundError) as error:
        raise ConfigError(f'cannot be read as a config: {error}', where=path) from error


def _sources(path: Path) -> dict[Path, ast.Module]:
    """Parse a config and all its base files that are files (not ``package::name``)."""
    sources: dict[Path, ast.Module] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in sources:
            continue
        try:
            sources[file] = ast.parse(file.read_text(encoding='utf-8'))
        except (OSError, SyntaxError) as error:
            raise ConfigError(f'cannot be read as a config: {error}', where=file) from error
        for node in sources[file].body:
            if _assigned(node) == '_base_':
                waiting += [base for base in _bases(node, file) if isinstance(base, Path)]
    return sources


def _bases(node: ast.Assign, file: Path) -> list[Path | str]:
    """Return what ``_base_ = ...`` names: files as absolute paths, packaged configs as they are."""
    bases = ast.literal_eval(node.value)
    bases = [bases] if isinstance(bases, str) else bases
    return [base if '::' in base else (file.parent / base).resolve() for base in bases]


def _assigned(node: ast.stmt) -> str | None:
    """Name of a simple ``name = value`` statement."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        return target.id if isinstance(target, ast.Name) else None
    return None


def _read(path: Path, sources: dict[Path, ast.Module], variables: dict[str, object]) -> Config:
    """Read the config from copies of its files in which the variables are assigned anew."""
    with tempfile.TemporaryDirectory(prefix='rsmm-config-') as folder:
        copies = {
            file: Path(folder) / f'{number}_{file.name}' for number, file in enumerate(sources)
        }
        for file, tree in sources.items():
            edits = {}
            for node in tree.body:
                name = _assigned(node)
                if name == '_base_':
                    bases = [str(copies.get(base, base)) for base in _bases(node, file)]
                    edits[node.value] = repr(bases)
                elif name in variables:
                    edits[node.value] = repr(variables[name])
            text = _edited(file.read_text(encoding='utf-8'), edits)
            copies[file].write_text(text, encoding='utf-8')
        config = _from_file(copies[path.resolve()])
    return Config(config.to_dict(), cfg_text=config.text, filename=str(path))


def _edited(source: str, edits: Mapping[ast.expr, str]) -> str:
    """Replace the source text of some expressions, leaving every other character as it is."""
    lines = source.encode().splitlines(keepends=True)  # ast counts columns in bytes
    for node, text in sorted(edits.items(), key=lambda edit: -edit[0].lineno):
        first, last = node.lineno - 1, node.end_lineno - 1
        replaced = (
            lines[first][: node.col_offset] + text.encode() + lines[last][node.end_col_offset :]
        )
        lines[first : last + 1] = [replaced]
    return b''.join(lines).decode()


def _check_top_level(config: Config, path: Path) -> None:
    """Refuse a key that differs from one the runner reads by a slip of the finger."""
    for key in config:
        # A variable such as `pipeline` is no slip for `val_pipeline`: the lengths must agree, too.
        known = [name for name in KNOWN_KEYS if abs(len(name) - len(key)) <= 1]
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
        if close and key not in KNOWN_KEYS:
            raise ConfigError(
                f"'{key}' is not a key of a config. Did you mean '{close[0]}'?", where=path
            )


def _check_option(config: Config, key: str) -> None:
    """Refuse an option whose parent does not exist."""
    node: object = config.to_dict()
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
