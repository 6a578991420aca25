from __future__ import annotations

import os
from collections import OrderedDict

import pytest
import timm
import torch
from torch import nn
from torchvision.models import resnet18, resnet34, resnet50

from rsmm.checkpoints.converters import convert, pack, read_foreign_checkpoint, recognise
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.checkpoints.weights import load_weights
from rsmm.errors import CheckpointError, ConfigError
from rsmm.registry import MODELS

BUILDERS = {18: resnet18, 34: resnet34, 50: resnet50}


def numbered(depth: int = 18, bands: int = 3) -> nn.Sequential:
    """The encoder of SeCo, CACo and SACo: a torchvision ResNet without fc, as a Sequential."""
    torch.manual_seed(0)
    net = BUILDERS[depth]()
    if bands != 3:
        net.conv1 = nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    for module in net.modules():  # statistics that are not those of a new network
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return nn.Sequential(*list(net.children())[:-1], nn.Flatten())


def prefixed(prefix: str, state: dict) -> dict:
    return {f'{prefix}{key}': value for key, value in state.items()}


def heads(name: str, count: int = 3, width: int = 512) -> dict:
    state = {}
    for i in range(count):
        for layer, out in ((0, width), (2, 128)):
            state[f'{name}.{i}.{layer}.weight'] = torch.zeros(out, width)
            state[f'{name}.{i}.{layer}.bias'] = torch.zeros(out)
    return state


class DataModule:
    """Stands for what a training script pickles into its checkpoints."""


class Malicious:
    def __init__(self, flag) -> None:
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


def lightning(encoder: nn.Module, **extra) -> dict:
    state = prefixed('encoder_q.', encoder.state_dict())
    state |= prefixed('encoder_k.', encoder.state_dict())
    state |= heads('heads_q') | heads('heads_k')
    state |= {'queue': torch.zeros(3, 128, 16), 'queue_ptr': torch.zeros(3, 1, dtype=torch.long)}
    return {
        'epoch': 199,
        'global_step': 10,
        'pytorch-lightning_version': '1.1.8',
        'state_dict': OrderedDict(state),
        'hyper_parameters': {'base_encoder': 'resnet18', 'emb_dim': 128},
        'callbacks': {},
        **extra,
    }


def mlp(prefix: str) -> dict:
    sizes = [(1024, 512), (512, 1024), (256, 512)]
    return {f'{prefix}.fc{i + 1}.weight': torch.zeros(s) for i, s in enumerate(sizes)}


def same_features(encoder: nn.Module, result, bands: int = 3) -> None:
    """Load strictly into the mmpretrain backbone and compare features."""
    backbone = MODELS.build(dict(result.backbone))
    backbone.load_state_dict(result.state_dict, strict=True)
    backbone.eval()  # mmpretrain's eval() returns None
    image = torch.randn(2, bands, 64, 64)
    with torch.no_grad():
        want = encoder.eval()(image)
        have = backbone(image)[-1].mean((2, 3))
    torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('depth', [18, 34, 50])
def test_torchvision_parity(depth):
    torch.manual_seed(0)
    net = BUILDERS[depth](num_classes=7)
    result = convert(net.state_dict())
    assert (result.source, result.backbone['depth']) == ('torchvision', depth)
    assert len(result.matched) == len(net.state_dict()) - 2
    assert result.dropped == {'fc': 2}
    classes = net.fc
    net.fc = nn.Identity()
    same_features(net, result)
    # Logits parity: the converted backbone under the original classifier.
    backbone = MODELS.build(dict(result.backbone))
    backbone.load_state_dict(result.state_dict, strict=True)
    backbone.eval()
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = backbone(image)[-1].mean((2, 3))
        torch.testing.assert_close(
            classes(features), classes(net.eval()(image)), rtol=1e-4, atol=1e-4
        )


def test_timm_resnet():
    net = timm.create_model('resnet18', num_classes=0, in_chans=13)
    result = convert(net.state_dict(), 'timm')
    assert result.backbone['in_channels'] == 13
    same_features(net, result, bands=13)


def test_timm_vit():
    net = timm.create_model('vit_tiny_patch16_224', img_size=64, in_chans=4, num_classes=5)
    result = convert(net.state_dict())
    assert result.source == 'timm'
    assert result.backbone['arch']['num_heads'] == 3
    assert (result.backbone['img_size'], result.backbone['patch_size']) == (64, 16)
    vit = MODELS.build(dict(result.backbone))
    vit.load_state_dict(result.state_dict, strict=True)
    vit.eval()
    image = torch.randn(2, 4, 64, 64)
    with torch.no_grad():
        want = net.eval().forward_features(image)[:, 0]
        torch.testing.assert_close(vit(image)[-1], want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('depth', [18, 50])
def test_seco_lightning_checkpoint(tmp_path, depth):
    encoder = numbered(depth)
    path = tmp_path / f'seco_resnet{depth}_100k.ckpt'
    torch.save(lightning(encoder), path)
    result = convert(read_foreign_checkpoint(path))
    assert result.source == 'seco'
    assert result.backbone == {'type': 'mmpretrain.ResNet', 'depth': depth, 'in_channels': 3}
    assert set(result.dropped) == {'encoder_k', 'heads_q', 'heads_k', 'queue', 'queue_ptr'}
    assert 'bn1.num_batches_tracked' in result.state_dict
    same_features(encoder, result)


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_caco_checkpoint_with_pickled_objects_runs_nothing(tmp_path, zipped):
    encoder, flag = numbered(), tmp_path / 'ran'
    path = tmp_path / 'resnet18_caco_1000_geo_100k.ckpt'
    content = lightning(
        encoder,
        datamodule=DataModule(),
        callbacks={DataModule: {'best': Malicious(flag)}},
    )
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r'mkdir.*convert\.py'):
        load_checkpoint_file(path)
    result = convert(read_foreign_checkpoint(path), 'caco')
    assert not flag.exists()
    same_features(encoder, result)


def test_caco_plain_encoder():
    encoder = numbered()
    result = convert(encoder.state_dict())
    assert (result.source, result.prefix) == ('caco', '')
    same_features(encoder, result)


def test_saco_training_files():
    encoder = numbered()
    state = prefixed('model.model.', encoder.state_dict()) | mlp('model.fc')
    for checkpoint in (
        state,
        {'epoch': 3, 'model_state_dict': state, 'optimizer_state_dict': {}, 'loss': 0.5},
    ):
        result = convert(checkpoint)
        assert (result.source, result.prefix) == ('saco', 'model.model.')
        assert result.dropped == {'model': 3}
        same_features(encoder, result)


@pytest.mark.parametrize('task', ['change', 'classification', 'segmentation'])
def test_saco_releases(task):
    bands = 10 if task == 'segmentation' else 3
    encoder = numbered(bands=bands)
    prefix = 'resnet.model.model.' if task == 'classification' else 'encoder.'
    state = prefixed(prefix, encoder.state_dict())
    if task == 'change':
        for i in range(4):
            state[f'decoder.{i}.double_conv.0.weight'] = torch.zeros(8, 8, 3, 3)
        state['decoder.4.weight'] = torch.zeros(1, 8, 1, 1)
    elif task == 'classification':
        state['resnet.model.fc.weight'] = torch.zeros(10, 720)
        state['resnet.model.fc.bias'] = torch.zeros(10)
    else:
        state['decoder.0.conv_1.0.weight'] = torch.zeros(8, 8, 3, 3)
    result = convert(state)
    assert result.prefix == prefix
    assert result.backbone['in_channels'] == bands
    assert sum(result.dropped.values()) == len(state) - len(encoder.state_dict())
    same_features(encoder, result, bands)


CONTRASTIVE = dict(
    SeCo=dict(
        backbone=dict(type='mmpretrain.ResNet', depth=18),
        neck=dict(type='MoCoMLP', in_channels=512, out_channels=128, num_spaces=3),
        queue_len=16,
    ),
    SACo=dict(
        backbone=dict(type='mmpretrain.ResNet', depth=18),
        bands='seco',
        queue_len=16,
    ),
)


@pytest.mark.parametrize('name', CONTRASTIVE)
def test_whole_training_files_fit_their_model(name, tmp_path):
    encoder = numbered()
    if name == 'SeCo':
        checkpoint = lightning(encoder)
        checkpoint['state_dict']['encoder_k.0.weight'] = torch.ones(64, 3, 7, 7)
        checkpoint['state_dict']['heads_k.2.2.bias'] = torch.ones(128)
    else:
        checkpoint = prefixed('model.model.', encoder.state_dict())
        for i, (inputs, outputs) in enumerate(((512, 1024), (1024, 512), (512, 256)), start=1):
            checkpoint[f'model.fc.fc{i}.weight'] = torch.full((outputs, inputs), float(i))
            checkpoint[f'model.fc.fc{i}.bias'] = torch.zeros(outputs)
    path = tmp_path / 'foreign.pth'
    torch.save(checkpoint, path)
    state = pack(convert(checkpoint), path, whole=True)['state_dict']
    model = MODELS.build(dict(type=name, **CONTRASTIVE[name]))
    report = load_weights(model, state, strict='parts')
    assert not report.unexpected
    if name == 'SeCo':
        assert not report.missing
        assert (model.backbone_k.conv1.weight == 1).all()
        assert (model.neck_k.heads[2][2].bias == 1).all()
        assert (model.queue == 0).all()
        return
    # The file has no key encoder: it starts as the query's copy. The queue starts at random.
    assert report.missing == ['queue', 'queue_ptr']
    assert (model.neck.fc[4].weight == 3).all()
    assert (model.neck_k.fc[2].weight == 2).all()
    torch.testing.assert_close(model.backbone_k.state_dict(), model.backbone.state_dict())


def test_a_bare_encoder_is_no_whole_file():
    with pytest.raises(CheckpointError, match='no projector'):
        pack(convert(numbered().state_dict()), 'file', whole=True)


def test_files_without_counters_are_complete():
    state = {k: v for k, v in numbered().state_dict().items() if 'num_batches' not in k}
    result = convert(state)
    assert result.missing == []
    backbone = MODELS.build(dict(result.backbone))
    assert all(
        'num_batches' in key
        for key in backbone.load_state_dict(result.state_dict, strict=False).missing_keys
    )


def test_incomplete_and_strange_files():
    state = numbered().state_dict()
    del state['5.1.bn2.weight']
    with pytest.raises(CheckpointError, match=r'(?s)missing +1 layer2\.1\.bn2\.weight'):
        convert(state)
    state = numbered().state_dict() | {'4.0.attention.weight': torch.zeros(2)}
    with pytest.raises(CheckpointError, match=r'(?s)unexpected +1 4\.0\.attention\.weight'):
        convert(state)
    state = numbered().state_dict()
    state['4.0.conv1.weight'] = torch.zeros(64, 64, 1, 1)
    with pytest.raises(CheckpointError, match=r'missing +1 layer1\.0\.conv1\.weight'):
        convert(state)
    state = {k: v for k, v in numbered().state_dict().items() if not k.startswith('7.1')}
    with pytest.raises(CheckpointError, match=r'\(2, 2, 2, 1\) residual blocks'):
        convert(state)
    with pytest.raises(CheckpointError, match='holds no ResNet in the layout of seco'):
        convert({'a.weight': torch.zeros(2)}, 'seco')
    with pytest.raises(ConfigError, match="Did you mean 'torchvision'"):
        convert(state, 'torchvison')


def test_recognise():
    assert recognise({'blocks.0.norm1.weight': 0}) == 'timm'
    assert recognise({'conv1.weight': 0}) == 'torchvision'
