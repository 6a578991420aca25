"""ToyEarth: one procedural world, written in the published layout of many datasets."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from rsmm.errors import ConfigError, did_you_mean

#: Writers by dataset name, as ``module:function``; each takes ``out`` and keyword settings.
WRITERS: dict[str, str] = {
    'aerial': 'rsmm.toy.writers.aerial:write_aerial',
    'urban-tiles': 'rsmm.toy.writers.aerial:write_urban_tiles',
    'caco': 'rsmm.toy.writers.caco:write_caco',
    'eurosat': 'rsmm.toy.writers.eurosat:write_eurosat',
    'gid': 'rsmm.toy.writers.gid:write_gid',
    'own': 'rsmm.toy.writers.own:write_own',
    'oscd': 'rsmm.toy.writers.oscd:write_oscd',
    'pastis': 'rsmm.toy.writers.pastis:write_pastis',
    'place-time': 'rsmm.toy.writers.place_time:write_place_time',
    'series': 'rsmm.toy.writers.series:write_series',
    'seco': 'rsmm.toy.writers.seco:write_seco',
    'spacenet7': 'rsmm.toy.writers.spacenet7:write_spacenet7',
}


def get_writer(name: str) -> Callable[..., bool]:
    """Return the function that writes a toy dataset.

    Raises:
        ConfigError: No writer has this name.
    """
    if name not in WRITERS:
        raise ConfigError(
            f'no toy writer called {name!r}.{did_you_mean(name, WRITERS)}',
            fix=f'Known writers: {", ".join(sorted(WRITERS))}',
        )
    module, function = WRITERS[name].split(':')
    return getattr(importlib.import_module(module), function)


__all__ = ['WRITERS', 'get_writer']
