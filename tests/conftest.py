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
