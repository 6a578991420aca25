"""Python entry points; ``tools/`` call the same functions. Each loads when it is first used."""

from __future__ import annotations

import importlib

_HOMES = {
    'list_models': 'rsmm.apis.entries',
    'find_model': 'rsmm.apis.entries',
    'get_model': 'rsmm.apis.zoo',
    'build_model': 'rsmm.apis.model',
    'load_config': 'rsmm.apis.config',
    'train': 'rsmm.apis.run',
    'test': 'rsmm.apis.run',
    'convert_file': 'rsmm.apis.converting',
    'publish': 'rsmm.apis.converting',
    'Inferencer': 'rsmm.inference.inferencer',
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'rsmm.apis' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
