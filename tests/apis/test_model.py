"""The one way to a model: every entry point takes the same files, or refuses them alike."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import DefaultScope

from rsmm.apis import build_model, get_model, load_config
from rsmm.apis.complexity import config_complexity
from rsmm.errors import CheckpointError, ConfigError
from rsmm.models.base import MapModel

CONFIG = 'configs/eurosat/resnet18_scratch-12e_eurosat-rgb.py'
WRAPPERS = ['', 'module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.']
#: What builds a model from a config and a checkpoint.
WAYS = {
    'build_model': lambda config, path: build_model(config, path),
    'get_model': lambda config, path: get_model(config, path),
    'part': lambda config, path: build_model(config, path, part='backbone'),
}


@pytest.fixture(scope='module')
def trained(repo_root):
    torch.manual_seed(3)
    return build_model(repo_root / CONFIG, 'random')


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('wrapper', WRAPPERS)
def test_every_way_takes_wrapped_weights(tmp_path, repo_root, trained, way, wrapper):
    path = tmp_path / 'weights.pth'
    state = {wrapper + key: value for key, value in trained.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'dataset_meta': {'classes': ['a']}}}, path)
    model = WAYS[way](str(repo_root / CONFIG), str(path))
    assert not model.training
    assert model.dataset_meta == {'classes': ['a']}
    torch.testing.assert_close(model.backbone.state_dict(), trained.backbone.state_dict())


@pytest.mark.parametrize('way', WAYS)
def test_every_way_refuses_another_model(tmp_path, repo_root, way):
    path = tmp_path / 'weights.pth'
    torch.save({'backbone.conv1.weight': torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(CheckpointError, match='does not fit the model'):
        WAYS[way](str(repo_root / CONFIG), str(path))


def test_initialisation_or_none(repo_root):
    bare = build_model(repo_root / CONFIG)
    assert bare.training
    torch.manual_seed(0)
    first = build_model(repo_root / CONFIG, 'random')
    torch.manual_seed(0)
    second = build_model(load_config(repo_root / CONFIG), 'random')
    assert not first.training
    torch.testing.assert_close(first.state_dict(), second.state_dict())


def test_scope_does_not_leak(repo_root):
    with DefaultScope.overwrite_default_scope('mmseg'):
        build_model(repo_root / CONFIG)
        assert DefaultScope.get_current_instance().scope_name == 'mmseg'


def test_bad_arguments(repo_root):
    path = repo_root / CONFIG
    with pytest.raises(ConfigError, match='has no encoder'):
        build_model(path, 'random', part='encoder')
    with pytest.raises(ConfigError, match='loaded already'):
        build_model(load_config(path), options={'model.head.num_classes': 3})
    with pytest.raises(ConfigError, match='cannot be used'):
        build_model(path, device='nonsense')
    assert build_model(path, options={'model.head.num_classes': 3}).head.num_classes == 3
    assert config_complexity(path).params == sum(p.numel() for p in build_model(path).parameters())


@pytest.mark.parametrize(
    ('config', 'dates'),
    [
        ('configs/gid/unet_resnet18_100e_gid5.py', 1),
        ('configs/oscd/fc-siam-diff_100e_oscd-rgb.py', 2),
        ('configs/oscd/small-data_ensemble_16e_oscd-rgb.py', 2),
        ('configs/pastis/utae_100e_pastis.py', None),
        ('configs/spacenet7/toy_xdxd-vgg16-small_60e_spacenet7.py', 1),
    ],
)
def test_models_of_maps_say_what_they_take(repo_root, config, dates):
    model = build_model(repo_root / config)
    assert isinstance(model, MapModel)
    assert model.num_dates == dates


def test_a_classifier_makes_no_map(trained):
    assert not isinstance(trained, MapModel)
