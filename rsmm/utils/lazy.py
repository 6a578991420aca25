"""Packages whose functions can be reached by name without importing all their modules."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from pathlib import Path

_DEFINITION = re.compile(r'^(?:def|class) ([A-Za-z]\w*)', re.MULTILINE)


def lazy_exports(package: str, file: str) -> tuple[Callable, Callable, Callable]:
    """Make the public functions and classes of a package's modules attributes of the package.

    ``from rsmm.geo import track_footprints`` then imports only the module that defines it, found
    by reading the sources. A module must not bear the name of a function it defines.

    Args:
        package: ``__name__`` of the package.
        file: ``__file__`` of the package's ``__init__.py``.

    Returns:
        Functions to bind as the package's ``__getattr__`` and ``__dir__``, and one that returns
        the index of names to modules.
    """

    @functools.cache
    def index() -> dict[str, str]:
        modules = sorted(path for path in Path(file).parent.glob('*.py') if path.stem[0] != '_')
        return {
            name: f'{package}.{path.stem}'
            for path in modules
            for name in _DEFINITION.findall(path.read_text(encoding='utf-8'))
        }

    def get(name: str):
        if name.startswith('_') or name not in index():
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        return getattr(importlib.import_module(index()[name]), name)

    def names() -> list[str]:
        return sorted(index())

    return get, names, index
