"""`compile=True` on the CPU: the compiler is looked for before the first step."""

import shutil

import pytest
import torch

from rsmm.engine.compiling import require_compiler
from rsmm.errors import MissingDependencyError


@pytest.fixture
def on_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.delenv('CXX', raising=False)


@pytest.mark.parametrize('name', ['g++', 'clang++', 'c++'])
def test_any_compiler_will_do(name, on_cpu, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda tried: f'/bin/{tried}' if tried == name else None)
    assert require_compiler() == f'/bin/{name}'


def test_the_one_that_is_asked_for_counts(on_cpu, monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    with pytest.raises(MissingDependencyError, match='found none of no-such-compiler'):
        require_compiler()


def test_without_a_compiler(on_cpu, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda tried: None)
    with pytest.raises(MissingDependencyError, match='apt install g'):
        require_compiler()
    assert require_compiler('eager') is None
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    assert require_compiler() is None
