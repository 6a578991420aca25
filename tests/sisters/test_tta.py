"""`--tta` for maps, change and boxes."""

from __future__ import annotations

import pytest

from rsmm.apis.config import load_config
from rsmm.apis.run import test as run_test
from rsmm.apis.run import train
from rsmm.errors import ConfigError
from tests.sisters.recipes import write_config, write_data


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('tta'))


@pytest.mark.parametrize('scope', ['mmseg', 'mmdet'])
def test_a_run_with_views(scope, data, tmp_path) -> None:
    path = write_config(tmp_path, scope, 'rsmm', 'text', data)
    if scope == 'mmdet':
        text = path.read_text().replace("_base_ = ['", "_base_ = ['rsmm::_base_/tta/boxes.py', '")
        path.write_text(f'{text}\ntta_scale = 96\n')
        assert load_config(path).tta_pipeline[1].transforms[0][0].scale == 96
    train(path, tmp_path / 'work')
    checkpoint = str(tmp_path / 'work' / 'iter_1.pth')
    plain = run_test(path, checkpoint, tmp_path / 'plain')
    averaged = run_test(path, checkpoint, tmp_path / 'tta', tta=True)
    assert set(averaged) == set(plain)


def test_a_config_without_views_says_so(data, tmp_path) -> None:
    path = write_config(tmp_path, 'mmpretrain', 'rsmm', 'text', data)
    with pytest.raises(ConfigError, match='no tta_model and tta_pipeline'):
        run_test(path, 'random', tmp_path / 'tta', tta=True)
