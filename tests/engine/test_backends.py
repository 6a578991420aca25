"""Backends of the visualizer: every way to write them, and packages that are absent."""

import importlib.util

import pytest

from rsmm.engine import backends
from rsmm.engine.backends import checked_backends
from rsmm.errors import ConfigError, MissingDependencyError

LOCAL = [{'type': 'LocalVisBackend'}]


@pytest.mark.parametrize(
    'written',
    [
        LOCAL,
        LOCAL[0],
        'LocalVisBackend',
        ['LocalVisBackend'],
        ["dict(type='LocalVisBackend')"],
        "{'type': 'LocalVisBackend'}",
    ],
)
def test_every_way_to_write_a_backend(written):
    assert checked_backends(written) == LOCAL


def test_settings_travel():
    written = ["dict(type='LocalVisBackend', save_dir='x', img_save_dir='y')"]
    assert checked_backends(written) == [
        {'type': 'LocalVisBackend', 'save_dir': 'x', 'img_save_dir': 'y'}
    ]


@pytest.mark.parametrize('written', ['3', '[1, 2]', "dict('x')", 'dict(type=name)', 'not one'])
def test_what_is_no_backend_is_refused(written):
    with pytest.raises(ConfigError, match='is no backend'):
        checked_backends([written])


@pytest.mark.parametrize('name', sorted(backends._PACKAGES))
@pytest.mark.parametrize('prefix', ['', 'mmengine.'])
def test_an_absent_package_is_named(name, prefix, monkeypatch):
    package = backends._PACKAGES[name][0]
    monkeypatch.setattr(importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(MissingDependencyError, match=f'pip install {package}'):
        checked_backends([{'type': prefix + name}])
    monkeypatch.setattr(importlib.util, 'find_spec', lambda found: found == package or None)
    assert checked_backends([{'type': prefix + name}]) == [{'type': prefix + name}]
