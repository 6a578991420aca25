from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn
from torchvision.models import resnet18, resnet34, resnet50

from rsmm.checkpoints.files import save_checkpoint_file
from rsmm.checkpoints.pretrained import Pretrained, adapt_first_conv
from rsmm.checkpoints.weights import describe_state, load_weights
from rsmm.errors import CheckpointError, ConfigError


class Classifier(nn.Module):
    def __init__(self, build=resnet18, classes: int = 10) -> None:
        super().__init__()
        self.backbone = build()
        self.backbone.fc = nn.Identity()
        self.head = nn.Linear(512 if build is not resnet50 else 2048, classes)


def without_counters(model: nn.Module) -> dict:
    return {k: v for k, v in model.state_dict().items() if 'num_batches' not in k}


def test_exact_load_reports_every_weight():
    source, target = Classifier(), Classifier()
    report = load_weights(target, {'state_dict': source.state_dict()})
    assert report.matched == list(source.state_dict())
    assert report.missing == report.unexpected == []
    assert report.mismatched == {}
    torch.testing.assert_close(target.state_dict(), source.state_dict())


def test_counters_may_be_absent():
    report = load_weights(Classifier(), without_counters(Classifier()))
    assert report.matched == list(without_counters(Classifier()))


@pytest.mark.parametrize('strict', ['exact', 'model', 'parts'])
@pytest.mark.parametrize(
    ('file', 'model'),
    [(resnet50, resnet18), (resnet34, resnet18), (resnet18, resnet34)],
    ids=['50 in 18', '34 in 18', '18 in 34'],
)
def test_another_architecture_is_an_error(strict, file, model):
    depths = {resnet18: '18', resnet34: '34', resnet50: '50'}
    names = rf'file looks like ResNet-{depths[file]} .*the model like ResNet-{depths[model]} '
    with pytest.raises(CheckpointError, match=rf'(?s)a\.pth: does not fit.*layer1.*{names}'):
        load_weights(Classifier(model), Classifier(file).state_dict(), strict, where='a.pth')


@pytest.mark.parametrize('strict', ['exact', 'model', 'parts'])
def test_loading_nothing_is_an_error(strict):
    with pytest.raises(CheckpointError, match='nothing in it could be used'):
        load_weights(Classifier(), {'other.weight': torch.ones(2)}, strict)


def test_a_file_without_weights():
    with pytest.raises(CheckpointError, match='holds no weights, only meta, epoch'):
        load_weights(Classifier(), {'meta': {}, 'epoch': 3})


def test_new_head_is_fine_for_fine_tuning_only():
    state = Classifier(classes=4).state_dict()
    report = load_weights(Classifier(), state, 'parts')
    assert report.mismatched == {
        'head.weight': ((4, 512), (10, 512)),
        'head.bias': ((4,), (10,)),
    }
    with pytest.raises(CheckpointError, match=r'head\.weight \(4, 512\) -> \(10, 512\)'):
        load_weights(Classifier(), state, 'model')


def test_whole_parts_may_be_absent():
    source = Classifier()
    backbone = {k: v for k, v in source.state_dict().items() if k.startswith('backbone.')}
    report = load_weights(Classifier(), {**backbone, 'queue': torch.ones(2)}, 'parts')
    assert report.missing == ['head.weight', 'head.bias']
    assert report.unexpected == ['queue']
    with pytest.raises(CheckpointError, match=r'missing: head\.weight'):
        load_weights(Classifier(), backbone, 'model')
    load_weights(Classifier(), {**source.state_dict(), 'queue': torch.ones(2)}, 'model')
    with pytest.raises(CheckpointError, match='unexpected: queue'):
        load_weights(Classifier(), {**source.state_dict(), 'queue': torch.ones(2)}, 'exact')


def test_prefix_and_rename():
    source = Classifier()
    state = {f'module.{key}': value for key, value in source.state_dict().items()}
    load_weights(Classifier(), state, rename=[(r'^module\.', '')])
    target = resnet18()
    target.fc = nn.Identity()
    load_weights(target, state, 'exact', prefix='backbone', rename=[(r'^module\.', '')])
    torch.testing.assert_close(target.state_dict(), source.backbone.state_dict())
    with pytest.raises(CheckpointError, match='the parts are backbone, head'):
        load_weights(target, source.state_dict(), prefix='encoder')
    with pytest.raises(ConfigError):
        load_weights(target, state, 'sloppy')


def test_modules_that_convert_shapes_are_asked():
    class Resizing(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2, bias=False)
            self._register_load_state_dict_pre_hook(self.shrink)

        def shrink(self, state, prefix, *_) -> None:
            state[f'{prefix}weight'] = state[f'{prefix}weight'][:2]

    model = nn.Sequential(Resizing())
    load_weights(model, {'0.weight': torch.ones(3, 2)})
    assert model[0].weight.sum() == 4


@pytest.mark.parametrize(
    ('state', 'text'),
    [
        ({'4.0.conv1.weight': 0, '0.weight': 0}, 'convert.py'),
        ({'encoder_q.4.0.conv1.weight': 0}, 'convert.py'),
        ({f'blocks.{i}.attn.qkv.weight': torch.ones(9, 3) for i in range(2)}, 'ViT of 2 layers'),
    ],
)
def test_description(state, text):
    assert text in describe_state(state)


BANDS = ('B02', 'B03', 'B04', 'B08', 'B11')


def stem(bands: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(bands, 4, 3, bias=False))


def test_first_conv_refuses_by_default():
    with pytest.raises(CheckpointError, match='takes 3 bands in the file and 5 in the model'):
        adapt_first_conv(stem(3).state_dict(), stem(5))


def test_first_conv_by_name_gives_the_same_on_known_bands():
    source, target = stem(3), stem(5)
    state = adapt_first_conv(source.state_dict(), target, 'by_name', BANDS)
    target.load_state_dict(state)
    image = torch.randn(2, 5, 8, 8)
    torch.testing.assert_close(target(image), source(image[:, [2, 1, 0]]))


def test_first_conv_by_name_reorders_equal_counts():
    source, target = stem(3), stem(3)
    target.load_state_dict(
        adapt_first_conv(source.state_dict(), target, 'by_name', ('B02', 'B03', 'B04'))
    )
    image = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(target(image), source(image.flip(1)))


def test_first_conv_repeat_keeps_the_mean_of_a_constant_image():
    source, target = stem(3), stem(6)
    target.load_state_dict(adapt_first_conv(source.state_dict(), target, 'repeat'))
    torch.testing.assert_close(
        target(torch.ones(1, 6, 5, 5)), source(torch.ones(1, 3, 5, 5)), rtol=1e-5, atol=1e-5
    )


def test_first_conv_checks_band_lists():
    state, target = stem(3).state_dict(), stem(5)
    with pytest.raises(ConfigError, match='2 names for a convolution that takes 5'):
        adapt_first_conv(state, target, 'by_name', ('B02', 'B03'))
    with pytest.raises(CheckpointError, match='none of which the model takes'):
        adapt_first_conv(state, stem(1), 'by_name', ('B11',))
    with pytest.raises(ConfigError):
        adapt_first_conv(state, target, 'tile')


def test_init_cfg_is_exact(tmp_path):
    """``init_cfg=dict(type='Pretrained')`` of an mmengine module reaches our initialiser."""
    from mmengine.registry import DefaultScope

    class Net(BaseModule):
        def __init__(self, size: int, checkpoint: str) -> None:
            init = dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone.')
            super().__init__(init_cfg=init)
            self.layer = nn.Linear(size, 2)

    path = str(tmp_path / 'a.pth')
    weight = torch.randn(2, 3)
    state = {'backbone.layer.weight': weight, 'backbone.layer.bias': torch.ones(2)}
    save_checkpoint_file({'state_dict': state}, path)
    with DefaultScope.overwrite_default_scope('rsmm'):
        net = Net(3, path)
        net.init_weights()
        torch.testing.assert_close(net.layer.weight.data, weight)
        with pytest.raises(CheckpointError, match=r'layer\.weight \(2, 3\) -> \(2, 4\)'):
            Net(4, path).init_weights()


def test_pretrained_with_more_bands(tmp_path):
    source, target = stem(3), stem(5)
    save_checkpoint_file({'state_dict': source.state_dict()}, tmp_path / 'a.pth')
    path = str(tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match="first_conv='by_name'"):
        Pretrained(path)(target)
    Pretrained(path, first_conv='by_name', bands=BANDS)(target)
    torch.testing.assert_close(target[0].weight[:, 2], source[0].weight[:, 0])
    assert target[0].weight[:, 3:].abs().sum() == 0


def test_layers_that_the_module_has_no_place_for_are_named(tmp_path):
    source = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 5, 1)))
    torch.save(source.state_dict(), tmp_path / 'net.pth')
    module = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 1)))
    Pretrained(str(tmp_path / 'net.pth'), unused=[r'^last\.'])(module)
    torch.testing.assert_close(module.conv.weight, source.conv.weight)
    # What is named unused is not excused where the module wants it.
    with pytest.raises(CheckpointError, match='missing: conv'):
        Pretrained(str(tmp_path / 'net.pth'), unused=[r'^last\.', 'bias'])(module)
