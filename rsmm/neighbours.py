"""What the sister packages (mmcv, mmpretrain, mmseg, mmdet) need before they work beside rsmm.

Whoever imports them, a config, mmengine or another sister, the changes have to be there first. So
they hang on the import of the module that they concern: :func:`watch`, called once by
:mod:`rsmm.registry`, costs nothing until that module is imported.

- ``mmcv.ops`` gets the ops that mmdet calls where mmcv has none (:mod:`rsmm.ops.mmcv_fallback`).
- The registries of mmpretrain, mmseg and mmdet look into rsmm's before they give up, so that a
  config in their scope uses rsmm's data sets by bare names. What a sister has itself comes first.
- mmpretrain's multimodal models, which transformers 5 breaks at their import, are switched off
  there as if transformers were absent.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

SISTERS = ('mmpretrain', 'mmseg', 'mmdet')
_lock = threading.RLock()


def watch(find: Callable[[object, str], object | None]) -> None:
    """Attend to the modules named above as they are imported.

    Args:
        find: What a sister's registry asks, with itself and a bare name that it does not know.
    """
    share = functools.partial(_share_entries, find)
    tasks: dict[str, tuple[Callable[[], None], Callable]] = {
        'mmcv.ops': (_choose_ops, _replace_ops),
        'mmpretrain.utils.dependency': (_nothing, _without_multimodal),
        **{f'{sister}.registry': (_nothing, share) for sister in SISTERS},
    }
    sys.meta_path.insert(0, _Watcher(tasks))
    for name, (_, after) in tasks.items():
        if name in sys.modules:
            after(sys.modules[name])


class _Watcher(MetaPathFinder):
    """Finds nothing itself; puts the tasks of a module around its execution."""

    def __init__(self, tasks: Mapping[str, tuple[Callable[[], None], Callable]]) -> None:
        self.tasks = tasks
        self.busy: set[str] = set()

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if name not in self.tasks or name in self.busy:
            return None
        self.busy.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.busy.discard(name)
        if spec is not None and spec.loader is not None:
            _surround(spec, *self.tasks[name])
        return spec


def _surround(spec: Any, before: Callable[[], None], after: Callable) -> None:
    execute = spec.loader.exec_module

    def execute_between(module: ModuleType) -> None:
        before()
        execute(module)
        after(module)

    spec.loader.exec_module = execute_between


def _nothing() -> None:
    """No task before the import."""


def _choose_ops() -> None:
    from rsmm.ops.mmcv_fallback import choose

    choose()


def _replace_ops(_: ModuleType) -> None:
    from rsmm.ops.mmcv_fallback import choose, replace

    if choose() == 'fallback':
        replace()


def _without_multimodal(dependency: Any) -> None:
    """Switch a part of mmpretrain off that was written for transformers 4."""
    with contextlib.suppress(PackageNotFoundError, ValueError):
        if int(version('transformers').partition('.')[0]) >= 5:
            dependency.WITH_MULTIMODAL = False


def _share_entries(find: Callable, module: ModuleType) -> None:
    """Let the registries of a sister's ``registry`` module find rsmm's entries."""
    from mmengine.registry import Registry

    for registry in vars(module).values():
        if isinstance(registry, Registry) and registry.scope in SISTERS:
            registry.get = functools.partial(_sisters_or_own, registry, find)


def _sisters_or_own(registry, find: Callable, key: str):
    """Return a sister's entry; one of rsmm that the sister does not know, for a bare name."""
    without_mmdet(registry.scope)
    entry = _lookup(registry, key)
    return find(registry, key) if entry is None and '.' not in key else entry


def _lookup(registry, key: str):
    try:
        return type(registry).get(registry, key)
    except RuntimeError:  # what mmengine makes of a name that is no module's attribute either
        return None


def without_mmdet(scope: str | None) -> None:
    """Import the models of mmpretrain or mmseg without mmdet, which only costs time.

    Both import mmdet, if it is installed, for one optional layer each; they do without it here
    unless mmdet is already loaded.
    """
    if scope in ('mmpretrain', 'mmseg') and f'{scope}.models' not in sys.modules:
        with _lock, _hidden('mmdet'):
            importlib.import_module(f'{scope}.models')


@contextlib.contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Make ``import package`` fail inside the block unless it is already imported."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None
    try:
        yield
    finally:
        del sys.modules[package]


@contextlib.contextmanager
def installed_names() -> Iterator[None]:
    """Let ``package::config`` find sisters whose distribution bears another name.

    mmengine looks for the distribution ``mmsegmentation``; the maintained one is called
    ``onedl-mmsegmentation`` and is found by the name of its module alone.
    """
    from mmengine.config import utils

    former = dict(utils.MODULE2PACKAGE)
    for module, package in former.items():
        if module in SISTERS and not _is_distribution(package):
            utils.MODULE2PACKAGE[module] = module
    try:
        yield
    finally:
        utils.MODULE2PACKAGE.update(former)


def _is_distribution(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False
