"""The XD_XD U-Net: published size, shapes, tiling, encoders by one line."""

import copy

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from rsmm.apis.config import load_config
from rsmm.registry import MODELS


def config(repo_root, **changes):
    path = repo_root / 'configs/_base_/models/xdxd_unet_vgg16.py'
    model = copy.deepcopy(load_config(path).model)
    for name, value in changes.items():
        model[name] = value
    return model


@pytest.fixture(scope='module')
def small(repo_root):
    torch.manual_seed(0)
    model = config(repo_root)
    model.backbone.base_channels = model.decode_head.base_channels = 4
    return MODELS.build(model).eval()


def test_published_parameter_count(repo_root):
    with torch.device('meta'):  # counts need no memory
        model = MODELS.build(config(repo_root))
    assert sum(p.numel() for p in model.parameters()) == 29_306_465
    parts = {
        'encoder': model.backbone,
        'c': model.decode_head.blocks[0],
        'd5': model.decode_head.blocks[1],
        'd4': model.decode_head.blocks[2],
        'd3': model.decode_head.blocks[3],
        'd2': model.decode_head.blocks[4],
        'd1': model.decode_head.last,
        'out': model.decode_head.output,
    }
    assert {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()} == {
        'encoder': 14_714_688,
        'c': 3_539_712,
        'd5': 4_719_360,
        'd4': 4_719_360,
        'd3': 1_327_424,
        'd2': 258_208,
        'd1': 27_680,
        'out': 33,
    }


def test_encoder_parameters_bear_torchvision_names(repo_root):
    torchvision = pytest.importorskip('torchvision')
    with torch.device('meta'):
        ours = MODELS.build(dict(type='VGG16Encoder')).state_dict()
        theirs = torchvision.models.vgg16(weights=None, init_weights=False).features.state_dict()
    assert {name: v.shape for name, v in ours.items()} == {
        f'features.{name}': v.shape for name, v in theirs.items()
    }


@pytest.mark.parametrize('size', [(64, 64), (63, 64), (50, 75), (20, 33)])
def test_logits_have_the_size_of_the_image(small, size):
    with torch.no_grad():
        assert small.logits(torch.randn(2, 3, *size)).shape == (2, 1, *size)


def test_three_times_enlarged_input_keeps_the_size(repo_root, small):
    small.scale = 3
    try:
        with torch.no_grad():
            assert small.logits(torch.randn(1, 3, 30, 31)).shape == (1, 1, 30, 31)
    finally:
        small.scale = 1


def test_skip_connections_carry_detail(small):
    image = torch.randn(1, 3, 64, 64)
    changed = image.clone()
    changed[..., 32, 32] += 5
    with torch.no_grad():
        difference = (small.logits(image) - small.logits(changed)).abs()[0, 0]
    assert difference[30:35, 30:35].max() == difference.max() > 0


def samples(target):
    made = []
    for image in target:
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=image)
        made.append(sample)
    return made


def test_loss_falls_when_overfitting(repo_root):
    torch.manual_seed(0)
    model = config(repo_root)
    model.backbone.base_channels = model.decode_head.base_channels = 8
    model = MODELS.build(model)
    image = torch.randn(2, 3, 32, 32)
    target = (image.mean(dim=1, keepdim=True) > 0).byte()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    history = []
    for _ in range(40):
        losses = model(image, samples(target), mode='loss')
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(total.item())
    assert set(losses) == {'loss_bce', 'loss_jaccard'}
    assert history[-1] < 0.8 * history[0]


def test_prediction_attaches_logits_and_mask(small):
    small.tile = 32
    image = torch.randn(1, 3, 47, 64)
    sample = SegDataSample(metainfo={'ori_shape': (47, 64), 'img_shape': (47, 64)})
    with torch.no_grad():
        (found,) = small(image, [sample], mode='predict')
    assert found.seg_logits.data.shape == (1, 47, 64)
    assert torch.equal(found.pred_sem_seg.data, (found.seg_logits.data > 0).byte())
    with torch.no_grad():
        top = small.logits(image[:, :, :32, :32])
    # Only the first rows belong to one tile alone: 47 = 32 + 15, so tiles overlap below row 15.
    torch.testing.assert_close(found.seg_logits.data[:, :15, :32], top[0][:, :15])


def test_constant_predictor_is_the_same_with_any_tiling(small):
    from rsmm.geo.windows import predict_windows
    from rsmm.inference.mapping import tile_predictor

    model = copy.deepcopy(small)
    model.data_preprocessor = MODELS.build(dict(type='MultiSpectralPreprocessor'))
    image = torch.randint(0, 255, (70, 64, 3), dtype=torch.uint8).numpy()
    with torch.no_grad():
        model.decode_head.output.weight.zero_()
        model.decode_head.output.bias.fill_(1.5)
    logits = predict_windows(image, (70, 64), tile_predictor(model.eval()), tile=32, stride=20)
    assert logits.shape == (70, 64, 1)
    assert abs(logits - 1.5).max() < 1e-5


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        (dict(type='mmpretrain.ResNet', depth=18, out_indices=(0, 1, 2, 3)), (64, 128, 256, 512)),
        (
            dict(
                type='mmpretrain.TIMMBackbone',
                model_name='resnet18',
                features_only=True,
                pretrained=False,
            ),
            (64, 64, 128, 256, 512),
        ),
    ],
)
def test_another_encoder_by_one_line(repo_root, backbone, channels):
    settings = config(repo_root, backbone=backbone)
    settings.decode_head.base_channels = 8
    model = MODELS.build(settings)
    assert model.decode_head.in_channels == channels
    model.eval()
    with torch.no_grad():
        assert model.logits(torch.zeros(1, 3, 64, 96)).shape == (1, 1, 64, 96)
