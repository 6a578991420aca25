"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """Root of the checkout."""
    return REPO


@pytest.fixture(scope='session')
def real_data() -> Path:
    """Folder with real sample images, or skip."""
    root = Path(os.environ.get('RSMM_REAL_DATA', REPO.parent / 'shared' / 'data'))
    if not root.is_dir():
        pytest.skip(f'no real samples at {root}; set RSMM_REAL_DATA to run this test')
    return root


@pytest.fixture(scope='session')
def toy_spacenet7(tmp_path_factory) -> Path:
    """A small ToyEarth SpaceNet 7: two train AOIs and one test AOI, six months, 64 pixels."""
    from rsmm.toy.writers.spacenet7 import write_spacenet7

    root = tmp_path_factory.mktemp('toy') / 'spacenet7'
    write_spacenet7(root, aois=3, months=6, size=64)
    return root
