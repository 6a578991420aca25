"""Habits of OpenMMLab's users: every scope, base, form of config and step of work goes together."""

from __future__ import annotations

import math

import pytest

from rsmm.apis.config import load_config
from rsmm.apis.run import test as run_test
from rsmm.apis.run import train
from tests.sisters.recipes import BASES, FORMS, SCOPES, write_config, write_data

#: Every scope with every base, and every form with every scope, once; the others are slow.
DEFAULT = {
    ('rsmm', 'rsmm', 'yaml'), ('rsmm', 'sister', 'text'), ('rsmm', 'own', 'read_base'),
    ('mmpretrain', 'rsmm', 'read_base'), ('mmpretrain', 'sister', 'json'),
    ('mmpretrain', 'own', 'text'),
    ('mmseg', 'rsmm', 'text'), ('mmseg', 'sister', 'read_base'), ('mmseg', 'own', 'yaml'),
    ('mmdet', 'rsmm', 'json'), ('mmdet', 'sister', 'text'), ('mmdet', 'own', 'read_base'),
}  # fmt: skip
MATRIX = [
    pytest.param(
        *cell,
        id='-'.join(cell),
        marks=() if cell in DEFAULT else pytest.mark.slow,
    )
    for cell in ((s, b, f) for s in SCOPES for b in BASES for f in FORMS)
]


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('sisters'))


@pytest.mark.parametrize(('scope', 'base', 'form'), MATRIX)
def test_train_resume_test_dump(scope, base, form, data, tmp_path) -> None:
    path, work = write_config(tmp_path, scope, base, form, data), tmp_path / 'work'
    assert load_config(path).default_scope == scope

    assert train(path, work).iter == 1
    runner = train(path, work, resume=True, options={'train_cfg.max_iters': 2})
    assert runner.iter == 2
    assert runner.cfg.default_scope == scope

    metrics = run_test(path, str(work / 'iter_2.pth'), tmp_path / 'test')
    assert metrics
    dumped = tmp_path / 'dumped.py'
    load_config(path).dump(dumped)
    again = run_test(dumped, str(work / 'iter_2.pth'), tmp_path / 'again')
    assert set(again) == set(metrics)
    for name, value in metrics.items():
        assert again[name] == value or (math.isnan(again[name]) and math.isnan(value)), name
