"""Variables of config files: where they are set, and reading the files with other values.

mmengine resolves ``train_cfg = dict(max_epochs=epochs)`` while it runs the file, so a value that
comes later, from a child or from the command line, finds nothing left to change. Here the files are
read once more with the value in place: behind each statement that sets the variable stands a second
one that sets it to the value asked for. mmengine does everything else, so names of files, scopes,
``read_base()`` and computed ``_base_`` mean what they always mean.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.fileio import load as mmengine_load

from rsmm.apis.entries import zoo_root
from rsmm.errors import ConfigError, did_you_mean
from rsmm.neighbours import installed_names
from rsmm.utils.seams import built_in

_reading = threading.RLock()
_DATA = ('.yaml', '.yml', '.json')
_COMPOUND = ast.If | ast.For | ast.While | ast.With | ast.Try


@dataclass
class Sources:
    """The files behind a config in the order mmengine opened them, the child first.

    A file of data (YAML, JSON) stands here as the assignments that say the same.
    """

    texts: dict[Path, str] = field(default_factory=dict)

    def setting(self, name: str) -> list[Path]:
        """Files that set a variable, the one that has the last word first."""
        return [file for file, text in self.texts.items() if name in _bound(text)]

    def names(self) -> set[str]:
        """All variables that some file sets."""
        return set().union(*(_bound(text) for text in self.texts.values()))

    def uses(self, name: str) -> bool:
        """Tell whether a statement of some file reads ``name`` or ``_base_.name``."""
        return any(name in _read_names(text) for text in self.texts.values())

    def unsettable(self, name: str) -> tuple[Path, int] | None:
        """Place that binds a variable by something else than an assignment, if there is one."""
        for file, text in self.texts.items():
            for node in _scope(_parse(text).body):
                if name in _other_bindings(node):
                    return file, node.lineno
        return None


def read(path: Path, values: Mapping[str, object], keep: Mapping[str, Path]) -> Config:
    """Read a config with other values of its variables.

    Args:
        path: Config file.
        values: New values by variable.
        keep: For a variable the file that sets it for itself and is left as it is.

    Returns:
        What mmengine makes of the files.
    """
    config, sources = _read(path, lambda file, text: _with_values(file, text, values, keep))
    for name, value in values.items():
        setting = sources.setting(name)
        if setting and setting[0].suffix in _DATA and keep.get(name) != setting[0]:
            config[name] = value  # a file of data has no statement behind which to put it
    return config


def read_sources(path: Path) -> tuple[Config, Sources]:
    """Read a config as mmengine does, and note the files that it opened."""
    return _read(path, lambda file, text: text)


def plain(value: Any) -> Any:
    """Return a config or a part of one as built-in dicts, lists and tuples, importing nothing."""
    if isinstance(value, Config):
        value = built_in(value)
    if isinstance(value, Mapping):
        items = dict.items(cast('dict', value))  # not a config's own, which would import
        return {key: plain(inner) for key, inner in items}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def is_literal(value: object) -> bool:
    """Tell whether a value can be written into a config file and read back the same."""
    try:
        return ast.literal_eval(repr(plain(value))) == plain(value)
    except (ValueError, SyntaxError, TypeError):
        return False


def flat(node: object, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    """Walk over the leaves of a config: ``(('train_cfg', 'max_epochs'), 12)``."""
    if isinstance(node, Config):
        node = plain(node)
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from flat(value, (*path, key))
    elif isinstance(node, list | tuple):
        for key, value in enumerate(node):
            yield from flat(value, (*path, key))
    else:
        yield path, node


def line_of(sources: Sources, path: tuple) -> tuple[Path, int] | None:
    """Place of the statement or keyword that sets ``train_dataloader.batch_size`` and the like."""
    for file, text in sources.texts.items():
        for node in _scope(_parse(text).body):
            if isinstance(node, ast.Assign | ast.AnnAssign) and path[0] in _names(node):
                found = _keyword(node.value, path[1:])
                if found is not None:
                    return file, found
    return None


def _keyword(node: ast.expr | None, path: tuple) -> int | None:
    """Line of a setting inside nested ``dict(...)``, ``{...}`` and ``[...]``."""
    if not path:
        return node.lineno if node is not None else None
    if isinstance(node, ast.Call):
        parts: dict[Any, ast.expr] = {word.arg: word.value for word in node.keywords}
    elif isinstance(node, ast.Dict):
        parts = {getattr(k, 'value', None): v for k, v in zip(node.keys, node.values, strict=True)}
    elif isinstance(node, ast.List | ast.Tuple):
        parts = dict(enumerate(node.elts))
    else:
        return None
    return _keyword(parts.get(path[0]), path[1:])


def _read(path: Path, edit: Callable[[Path, str], str]) -> tuple[Config, Sources]:
    """Let mmengine read a config through :func:`edit`, applied to every config file it opens."""
    sources = Sources()
    written: set[str] = set()

    def opened(file, mode='r', *args, **kwargs):
        name = os.fspath(file)
        if 'r' not in mode or '+' in mode:
            written.add(name)  # mmengine's temporary copies of what was edited already
        elif name not in written and name.endswith('.py'):
            text = Path(name).read_text(encoding='utf-8')
            sources.texts.setdefault(Path(name).resolve(), text)
            return io.StringIO(edit(Path(name).resolve(), text))
        elif name not in written and name.endswith(_DATA):
            sources.texts.setdefault(Path(name).resolve(), _as_assignments(Path(name)))
        return builtins.open(file, mode, *args, **kwargs)

    with _opening(opened), installed_names():
        return Config.fromfile(str(path)), sources


def _as_assignments(file: Path) -> str:
    """Say what a file of data sets; one that is data only after substitutions says nothing."""
    with contextlib.suppress(Exception):  # mmengine reads it too and says what is wrong
        content = mmengine_load(str(file))
        return '\n'.join(f'{k} = {v!r}' for k, v in content.items() if k.isidentifier())
    return ''


@contextlib.contextmanager
def _opening(opened: Callable) -> Iterator[None]:
    """Let mmengine's config module open files and find packages by other functions.

    These are the seams used here.
    """
    with _reading:
        former = vars(mmengine_config).get('open', builtins.open)
        find, root = Config._get_cfg_path, mmengine_config.get_installed_path
        mmengine_config.open = opened
        mmengine_config.get_installed_path = functools.partial(_package_folder, root)
        Config._get_cfg_path = staticmethod(functools.partial(_config_path, find, root))
        try:
            yield
        finally:
            mmengine_config.open = former
            mmengine_config.get_installed_path = root
            Config._get_cfg_path = staticmethod(find)


def _package_folder(find: Callable, package: str) -> str:
    """Folder in which ``from package.configs... import *`` finds ``configs``.

    Wheels carry them in ``.mim``, a checkout of rsmm beside the package.
    """
    if package == 'rsmm':
        return str(zoo_root())
    folder = Path(find(package))
    carried = folder / '.mim'
    inside = (folder / 'configs').is_dir() or not (carried / 'configs').is_dir()
    return str(folder if inside else carried)


def _config_path(find: Callable, root: Callable, base: str, file: str) -> tuple[str, str | None]:
    """Path and scope of an entry of ``_base_``; mmengine knows no package called rsmm."""
    package, _, name = base.rpartition('::')
    if package != 'rsmm':
        seam, mmengine_config.get_installed_path = mmengine_config.get_installed_path, root
        try:
            return find(base, file)
        finally:
            mmengine_config.get_installed_path = seam
    folder = zoo_root() / 'configs'
    if not (folder / name).is_file():
        known = [path.relative_to(folder).as_posix() for path in folder.rglob('*.py')]
        raise ConfigError(
            f"there is no config '{name}' in rsmm.{did_you_mean(name, known)}", where=file
        )
    return str(folder / name), package


def _with_values(
    file: Path, text: str, values: Mapping[str, object], keep: Mapping[str, Path]
) -> str:
    """Put ``; name = value`` behind every statement that sets one of the variables."""
    inserts: list[tuple[int, int, str]] = []
    for node in _scope(_parse(text).body):
        for name in sorted(_names(node) & set(values)):
            if keep.get(name) != file:
                inserts.append(
                    (node.end_lineno, node.end_col_offset, f'; {name} = {plain(values[name])!r}')
                )
    lines = text.encode().splitlines(keepends=True)  # ast counts columns in bytes
    for line, column, addition in sorted(inserts, reverse=True):
        old = lines[line - 1]
        lines[line - 1] = old[:column] + addition.encode() + old[column:]
    return b''.join(lines).decode()


@functools.lru_cache(maxsize=256)
def _parse(text: str) -> ast.Module:
    """Parse a config; one that is Python only after mmengine's substitutions has no statements."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


@functools.lru_cache(maxsize=256)
def _bound(text: str) -> frozenset[str]:
    """Variables that a file sets."""
    return frozenset().union(*(_names(node) for node in _scope(_parse(text).body)))


@functools.lru_cache(maxsize=256)
def _read_names(text: str) -> frozenset[str]:
    """Variables that a file reads."""
    nodes = list(ast.walk(_parse(text)))
    names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return frozenset(names | {n.attr for n in nodes if isinstance(n, ast.Attribute)})


def _scope(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Walk over the statements of a module, those under ``if``, ``for``, ``with``, ``try`` too."""
    for node in body:
        yield node
        if isinstance(node, _COMPOUND):
            for block in ('body', 'orelse', 'finalbody'):
                yield from _scope(getattr(node, block, []))
            for handler in getattr(node, 'handlers', []):
                yield from _scope(handler.body)


def _names(node: ast.stmt) -> frozenset[str]:
    """Variables set by ``a = ...``, ``a = b = ...``, ``a, b = ...``, ``a: int = ...``, ``a += 1``.

    ``_base_`` is none.
    """
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value):
        targets = [node.target]
    else:
        return frozenset()
    return frozenset(name for target in targets for name in _targets(target)) - {'_base_'}


def _other_bindings(node: ast.stmt) -> set[str]:
    """Variables set by a ``for`` or ``with`` statement itself, where no value can follow."""
    if isinstance(node, ast.For):
        return set(_targets(node.target))
    if isinstance(node, ast.With):
        return {name for item in node.items for name in _targets(item.optional_vars)}
    return set()


def _targets(target: ast.expr | None) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _targets(part)
