"""Dense features of any backbone, and the command line over them."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from torch import nn

from rsmm.errors import ConfigError
from rsmm.studies.discover_features import DenseFeatures, feature_signature, load_features
from rsmm.toy.writers.series import write_series

CONFIG = 'configs/eurosat/resnet18_linear-20e_eurosat-rgb.py'


@pytest.fixture(scope='module')
def tool(repo_root):
    path = repo_root / 'tools' / 'pipelines' / 'discover.py'
    spec = importlib.util.spec_from_file_location('discover_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_any_backbone_gives_unit_maps(repo_root):
    torch.manual_seed(0)
    extract = load_features(str(repo_root / CONFIG), 'random')
    frames = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    maps = extract(frames)
    assert maps.dtype == np.float32
    assert maps.shape[0] == 2
    assert 64 % maps.shape[2] == 0
    assert np.allclose(np.linalg.norm(maps, axis=1), 1, atol=1e-5)
    assert np.allclose(extract(frames[1:]), maps[1:], atol=1e-5)  # no frame sees another
    assert load_features(None, None) is None
    assert feature_signature(None, None) == 'pixels'


class Two(nn.Module):
    """A backbone of two maps, and perhaps a neck that makes one of them."""

    def __init__(self, neck=None):
        super().__init__()
        self.backbone = lambda x: (x[:, :, ::2, ::2], x[:, :, ::4, ::4])
        if neck:
            self.neck = neck


@pytest.mark.parametrize(
    ('neck', 'side'),
    [(None, 16), (lambda maps: (maps[1],), 8), (lambda maps: maps[0].mean((2, 3)), 16)],
    ids=['finest map', 'map of the neck', 'a neck that pools'],
)
def test_which_map_is_taken(neck, side):
    frames = np.random.default_rng(0).random((1, 3, 32, 32), dtype=np.float32)
    assert DenseFeatures(Two(neck))(frames).shape == (1, 3, side, side)


@pytest.fixture(scope='module')
def cells(tmp_path_factory):
    out = tmp_path_factory.mktemp('toy') / 'cells'
    write_series(out, cells=1, static_cells=0, months=8, size=96, events=1, clouds=0)
    return out


def test_command_line_with_a_network(tool, cells, repo_root, tmp_path, capsys):
    tool.main([
        '--cells', str(cells), '--out', str(tmp_path), '--config', str(repo_root / CONFIG),
        '--checkpoint', 'random', '--no-page', '--options', 'components=8',
    ])  # fmt: skip
    assert 'in 1 cells, written to' in capsys.readouterr().out
    facts = json.loads(next(tmp_path.glob('work/*/labels.json')).read_text())['facts']['facts']
    assert facts['scale'] > 2


def test_command_line_settings(tool, cells, tmp_path):
    call = ['--cells', str(cells), '--out', str(tmp_path), '--no-page']
    tool.main([*call, '--published', '--min-change', '0.25'])
    note = json.loads(next(tmp_path.glob('work/*/labels.json')).read_text())
    assert note['made']['options']['min_change'] == 0.25
    assert note['made']['options']['lasting'] is False
    assert note['facts']['facts']['threshold'] >= 0.25
    with pytest.raises(ConfigError, match="Did you mean 'min_voxels'"):
        tool.main([*call, '--options', 'min_voxel=3'])
