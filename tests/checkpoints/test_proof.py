"""A conversion computes what its source computes, or is refused, or says that it is not proven."""

import pytest
import timm
import torch
import torchvision

from rsmm.apis.converting import convert_file
from rsmm.apis.converting_cli import convert_main
from rsmm.checkpoints.converters import VIT_HEADS, convert
from rsmm.checkpoints.proof import prove
from rsmm.errors import CheckpointError, ConfigError


def settled(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights with statistics of normalisation that matter."""
    state = net.state_dict()
    for key, value in state.items():
        # The last norm of a block starts at 0 in some networks, which hides what the block does.
        if key.endswith(('running_var', 'bn2.weight', 'bn3.weight')):
            value.copy_(torch.rand_like(value) + 0.5)
        elif key.endswith('running_mean'):
            value.copy_(torch.randn_like(value) / 10)
    return state


def vit(**options) -> dict[str, torch.Tensor]:
    settings = dict(img_size=32, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=5)
    torch.manual_seed(0)
    return timm.models.VisionTransformer(**settings | options).state_dict()


@pytest.mark.parametrize('depth', [18, 50])
def test_resnets_are_proven(depth):
    state = settled(getattr(torchvision.models, f'resnet{depth}')())
    proof = prove(convert(state), state)
    assert proof.network == f"torchvision's resnet{depth}"
    assert proof.difference < 1e-5


def test_vits_are_proven():
    state = vit()
    proof = prove(convert(state), state)
    assert proof.difference < 1e-5
    assert 'VisionTransformer' in proof.report()


def test_the_network_can_be_named():
    state = settled(timm.create_model('resnet18'))
    assert prove(convert(state), state, 'resnet18').difference < 1e-5
    with pytest.raises(ConfigError, match="no model 'resnet19'"):
        prove(convert(state), state, 'resnet19')
    with pytest.raises(CheckpointError, match='the file holds no resnet34'):
        prove(convert(state), state, 'resnet34')


def test_a_variant_with_the_same_weights_is_found_out_by_name():
    state = settled(timm.create_model('resnetblur50'))
    conversion = convert(state)  # its blurred pooling has no weights, so it passes for a ResNet-50
    with pytest.raises(CheckpointError, match='computes other features than resnetblur50'):
        prove(conversion, state, 'resnetblur50')


@pytest.mark.parametrize('name', ['seresnet18', 'resnetaa50', 'resnet50_gn'])
def test_variants_are_refused_or_unlike_their_network(name):
    if not timm.is_model(name):
        pytest.skip(f'this timm has no {name}')
    state = settled(timm.create_model(name))
    with pytest.raises(CheckpointError):
        prove(convert(state), state, name)


def test_a_wrong_number_of_heads_is_found_out_by_name():
    torch.manual_seed(0)
    state = timm.create_model('vit_tiny_patch16_224', img_size=32, num_classes=0).state_dict()
    assert prove(convert(state), state, 'vit_tiny_patch16_224').difference < 1e-4
    with pytest.raises(CheckpointError, match='computes other features.*--num-heads'):
        prove(convert(state, num_heads=6), state, 'vit_tiny_patch16_224')


@pytest.mark.parametrize(('width', 'heads'), [(1280, 16), (1408, 16), (768, 12), (384, 6)])
def test_heads_by_width(width, heads):
    assert VIT_HEADS[width] == heads


@pytest.mark.parametrize('width', [1280, 1408])
def test_wide_vits_convert(width):
    state = vit(embed_dim=width, depth=1, num_heads=16)
    conversion = convert(state)
    assert conversion.backbone['arch']['num_heads'] == 16
    assert prove(conversion, state).difference < 1e-4


@pytest.mark.parametrize('width', [1536, 160])
def test_a_width_that_does_not_tell_is_refused(width):
    state = vit(embed_dim=width, depth=1, num_heads=8)
    with pytest.raises(CheckpointError, match=f'width {width} does not say.*--num-heads N'):
        convert(state)
    assert convert(state, num_heads=8).backbone['arch']['num_heads'] == 8
    with pytest.raises(CheckpointError, match='7 heads do not divide'):
        convert(state, num_heads=7)


def test_parallel_blocks_are_refused_by_name():
    net = timm.create_model('vit_small_patch16_18x2_224', img_size=32, depth=2)
    with pytest.raises(CheckpointError, match='side by side.*TIMMBackbone'):
        convert(net.state_dict())


def test_what_cannot_be_proven_says_so():
    state = timm.create_model('convnext_atto', num_classes=0).state_dict()
    conversion = convert(state)
    assert prove(conversion, state).report().startswith('proof       none: name the network')
    assert prove(conversion, state, 'convnext_atto').difference < 1e-4


def test_the_tool_reports_the_proof(tmp_path, capsys):
    torch.save(settled(torchvision.models.resnet18()), tmp_path / 'in.pth')
    assert convert_main([str(tmp_path / 'in.pth'), str(tmp_path / 'out.pth')]) == 0
    assert "proof       features of torchvision's resnet18" in capsys.readouterr().out
    torch.save(vit(embed_dim=160, depth=1, num_heads=5), tmp_path / 'vit.pth')
    arguments = [str(tmp_path / 'vit.pth'), str(tmp_path / 'vit_out.pth')]
    assert convert_main(arguments) != 0
    assert convert_main([*arguments, '--num-heads', '5']) == 0
    assert convert_file(tmp_path / 'vit.pth', tmp_path / 'x.pth', num_heads=5)[1].network
