"""ConvNeXt, Swin and EfficientNet-Lite of other projects keep their features when converted."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision

from rsmm.checkpoints.converters import convert
from rsmm.errors import CheckpointError
from rsmm.registry import MODELS


def images(size: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """Give every weight a value of its own, norms and layer scales too."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        scale = 0.5 if 'gamma' in name or 'layer_scale' in name else 0.1
        parameter.data.add_(noise * scale)
    return model.eval()


def torchvision_swin():
    from torchvision.models.swin_transformer import SwinTransformer

    return SwinTransformer([4, 4], 16, [2, 1, 1, 1], [1, 2, 4, 8], [7, 7])


def torchvision_convnext():
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt(
        [CNBlockConfig(*widths) for widths in ((8, 16, 2), (16, 24, 1), (24, 32, 1), (32, None, 1))]
    )


def timm_model(name, **options):
    return timm.create_model(name, num_classes=5, **options)


CASES = {
    'timm convnext': (
        lambda: timm_model('convnext_atto', depths=(1, 2, 1, 1), dims=(8, 16, 24, 32)),
        lambda model, x: model.forward_head(model.forward_features(x), pre_logits=True),
        64,
    ),
    'timm convnext, linear': (
        lambda: timm_model('convnext_tiny', depths=(1, 1, 2, 1), dims=(8, 16, 24, 32)),
        lambda model, x: model.forward_head(model.forward_features(x), pre_logits=True),
        64,
    ),
    'torchvision convnext': (
        torchvision_convnext,
        lambda model, x: model.classifier[:2](model.avgpool(model.features(x))),
        64,
    ),
    'timm swin': (
        lambda: timm_model(
            'swin_tiny_patch4_window7_224',
            depths=(2, 1, 1, 1),
            embed_dim=16,
            num_heads=(1, 2, 4, 8),
        ),
        lambda model, x: model.forward_features(x).permute(0, 3, 1, 2),
        224,
    ),
    'torchvision swin': (
        torchvision_swin,
        lambda model, x: model.norm(model.features(x)).permute(0, 3, 1, 2),
        224,
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_features_stay_the_same(case):
    make, features, size = CASES[case]
    torch.manual_seed(0)
    model = randomised(make())
    conversion = convert(model.state_dict(), where=case)
    backbone = MODELS.build(conversion.backbone)
    backbone.eval()
    missing, unexpected = backbone.load_state_dict(conversion.state_dict, strict=False)
    assert not missing
    assert not unexpected
    with torch.no_grad():
        expected, (found,) = features(model, images(size)), backbone(images(size))
    assert found.squeeze().shape == expected.squeeze().shape
    found, expected = found.squeeze(), expected.squeeze()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4), (found - expected).abs().max()


def as_released(state):
    """Name the weights of timm's EfficientNet-Lite0 as EfficientNet-PyTorch does, by hand."""
    old = {'conv_stem': '_conv_stem', 'bn1': '_bn0', 'conv_head': '_conv_head', 'bn2': '_bn1'}
    first = {'conv_dw': '_depthwise_conv', 'bn1': '_bn1', 'conv_pw': '_project_conv', 'bn2': '_bn2'}
    parts = ['_expand_conv', '_bn0', '_depthwise_conv', '_bn1', '_project_conv', '_bn2']
    rest = dict(zip(['conv_pw', 'bn1', 'conv_dw', 'bn2', 'conv_pwl', 'bn3'], parts, strict=True))
    blocks: dict[str, int] = {}
    released = {}
    for key, value in state.items():
        names = key.split('.')
        if names[0] == 'blocks':
            number = blocks.setdefault('.'.join(names[1:3]), len(blocks))
            part = (rest if number else first)[names[3]]
            released[f'_blocks.{number}.{part}.{names[4]}'] = value
        elif names[0] == 'classifier':
            released[f'_fc.{names[1]}'] = value
        else:
            released[f'{old[names[0]]}.{names[1]}'] = value
    return released


def test_efficientnet_lite0():
    torch.manual_seed(0)
    model = timm.create_model('tf_efficientnet_lite0').eval()
    conversion = convert(as_released(model.state_dict()))
    assert conversion.backbone['model_name'] == 'tf_efficientnet_lite0'
    backbone = MODELS.build(conversion.backbone)
    backbone.eval()
    backbone.load_state_dict(conversion.state_dict, strict=True)
    with torch.no_grad():
        assert torch.equal(backbone(images())[0], model.forward_features(images()))
    assert conversion.dropped == {'_fc': 2}


def test_a_cut_file_is_refused():
    state = torchvision_convnext().state_dict()
    del state['features.1.1.block.3.weight']
    with pytest.raises(CheckpointError, match=r'stages\.0\.1\.pointwise_conv1\.weight'):
        convert(state)


def test_published_swin_of_the_first_release():
    """Merging stands at the end of a stage there, and the index tables are stored."""
    model = torchvision.models.swin_t()
    tables = {k: v for k, v in model.state_dict().items() if k.endswith('relative_position_index')}
    assert tables
    timm_state = timm_model('swin_tiny_patch4_window7_224').state_dict()
    first = {}
    for key, value in timm_state.items():
        number = key.split('.')[1] if key.startswith('layers.') else ''
        if '.downsample.' in key:
            key = key.replace(f'layers.{number}.', f'layers.{int(number) - 1}.')
        first[key] = value
    first['layers.0.blocks.0.attn.relative_position_index'] = torch.zeros(49, 49, dtype=torch.long)
    new, old = convert({'model': first}), convert(timm_state)
    assert new.backbone == old.backbone
    assert all(torch.equal(value, old.state_dict[key]) for key, value in new.state_dict.items())
