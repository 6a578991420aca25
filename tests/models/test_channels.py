"""``in_channels='auto'`` for every kind of part, and mismatches that name both numbers."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import DefaultScope

from rsmm.errors import ConfigError
from rsmm.models.channels import check_bands, feature_channels, fill_channels, first_channels
from rsmm.registry import MODELS

RESNET = dict(type='mmpretrain.ResNet', depth=18, in_channels='auto')
PREPROCESSOR = dict(type='MultiSpectralPreprocessor', bands='eurosat')
#: Backbones by who made them; each is asked for 13 bands.
BACKBONES = {
    'mmpretrain': RESNET,
    'pyramid': dict(type='ResNetPyramid', depth=18, in_channels='auto'),
    'timm': dict(
        type='mmpretrain.TIMMBackbone', model_name='resnet18', in_channels='auto', pretrained=False
    ),
    'vit': dict(type='mmpretrain.VisionTransformer', arch='deit-t', img_size=64, patch_size=16,
                in_channels='auto'),
    'mmseg': dict(type='mmseg.MixVisionTransformer', in_channels='auto'),
    'own': dict(type='FCEncoder', in_channels='auto'),
}  # fmt: skip
FOLLOWERS = {
    'projector': dict(neck=dict(type='MoCoMLP', in_channels='auto')),
    'head': dict(
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.LinearClsHead', in_channels='auto', num_classes=4),
    ),
}


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('rsmm'):
        yield


@pytest.mark.parametrize('name', BACKBONES)
def test_backbones_follow_the_preprocessor(name):
    model = fill_channels({'data_preprocessor': PREPROCESSOR, 'backbone': BACKBONES[name]})
    assert first_channels(MODELS.build(model['backbone'])) == 13


@pytest.mark.parametrize('name', FOLLOWERS)
@pytest.mark.parametrize(('depth', 'width'), [(18, 512), (50, 2048)])
def test_followers_take_what_the_backbone_puts_out(name, depth, width):
    model = fill_channels(
        {
            'data_preprocessor': PREPROCESSOR,
            'backbone': {**RESNET, 'depth': depth},
            **FOLLOWERS[name],
        }
    )
    part = model['head' if name == 'head' else 'neck']
    assert part['in_channels'] == width


def test_several_outputs_give_a_list():
    model = fill_channels(
        {
            'data_preprocessor': dict(mean=[0.0] * 4, std=[1.0] * 4),
            'backbone': {**RESNET, 'out_indices': (1, 2, 3)},
            'neck': dict(type='mmdet.FPN', in_channels='auto', out_channels=8, num_outs=3),
        }
    )
    assert model['neck']['in_channels'] == [128, 256, 512]
    assert model['backbone']['in_channels'] == 4


def test_early_fusion_and_ensembles():
    member = dict(type='ChangeDetector', backbone=RESNET)
    model = fill_channels(
        {'data_preprocessor': PREPROCESSOR, 'members': [member, {**member, 'fusion': 'early'}]}
    )
    found = [member['backbone']['in_channels'] for member in model['members']]
    assert found == [13, 26]


def test_the_probe_changes_nothing():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert feature_channels({**RESNET, 'in_channels': 3}) == (512,)
    torch.testing.assert_close(torch.rand(3), expected)


def test_without_bands_there_is_nothing_to_fill_in():
    with pytest.raises(ConfigError, match=r'my\.py.*names no bands'):
        fill_channels({'backbone': RESNET}, 'my.py')


def test_mismatch_names_both_numbers_and_the_file():
    model = MODELS.build(
        dict(
            type='RasterSegmentor',
            data_preprocessor=PREPROCESSOR,
            backbone=dict(type='FCEncoder', in_channels=3),
            decode_head=dict(type='FCDecoder', in_channels='auto'),
            loss=dict(type='SegLoss'),
        )
    )
    with pytest.raises(ConfigError, match=r'my\.py.*takes 3 bands.*brings 13'):
        check_bands(model, 'my.py')
