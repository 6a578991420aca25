"""Change detectors: published parameter counts, symmetry, freezing, sizes, thresholds."""

from __future__ import annotations

import pytest
import torch

from rsmm.errors import ConfigError
from rsmm.models.change_detectors.change_detector import likeliest
from rsmm.registry import MODELS

FC = dict(type='FCEncoder')
PYRAMID = dict(type='ResNetPyramid', depth=18)


def detector(backbone=FC, head='FCDecoder', **settings):
    torch.manual_seed(0)
    config = dict(
        type='ChangeDetector',
        backbone=backbone,
        decode_head=dict(type=head, in_channels='auto'),
        loss=dict(type='ChangeLoss', terms=dict(bce=1.0, dice=0.5, focal=2.0)),
    )
    return MODELS.build(config | settings).eval()


def count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        (dict(type='UNetDecoder', in_channels=(64, 64, 128, 256, 512)), 3_208_769),
        (dict(type='SACoDecoder', in_channels=(256, 512, 1024, 2048)), 62_680_449),
        (
            dict(
                type='SACoDecoder', in_channels=(256, 512, 1024, 2048), num_classes=20, dense=True
            ),
            112_817_940,
        ),
    ],
)
def test_published_decoder_sizes(config: dict, expected: int) -> None:
    with torch.device('meta'):
        assert count(MODELS.build(config)) == expected


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (dict(fusion='early', backbone=dict(type='FCEncoder', in_channels=6)), 1_350_578),
        (dict(fusion='abs_diff', deepest='second'), 1_350_146),
        (dict(fusion='concat', deepest='second'), 1_545_986),
    ],
)
def test_published_fc_siam_sizes(settings: dict, expected: int) -> None:
    """The published networks have two output classes; one logit has 145 parameters fewer."""
    assert count(detector(**settings)) == expected - 145


def test_seco_features_and_decoder() -> None:
    model = detector(PYRAMID, 'UNetDecoder')
    features = model.backbone(torch.zeros(1, 3, 96, 96))
    assert [tuple(feature.shape[1:]) for feature in features] == [
        (64, 48, 48), (64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3),
    ]  # fmt: skip
    assert model.decode_head(features).shape == (1, 1, 96, 96)
    # The first feature is the bare convolution: negative values have not been cut off.
    noise = model.backbone(torch.randn(1, 3, 96, 96))[0]
    assert (noise < 0).any()


@pytest.mark.parametrize('size', [(96, 96), (50, 71)])
def test_logits_have_the_size_of_the_images(size: tuple[int, int]) -> None:
    for model in (detector(multiple=16), detector(PYRAMID, 'UNetDecoder')):
        pair = list(torch.randn(2, 1, 3, *size))
        assert model(pair).shape == (1, 1, *size)


def test_absolute_differences_do_not_know_the_order() -> None:
    first, second = torch.randn(2, 1, 3, 32, 32)
    symmetric = detector(PYRAMID, 'UNetDecoder', fusion='abs_diff')
    torch.testing.assert_close(symmetric([first, second]), symmetric([second, first]))
    signed = detector(PYRAMID, 'UNetDecoder', fusion='diff')
    assert not torch.allclose(signed([first, second]), signed([second, first]))


def test_fusions() -> None:
    first, second = torch.randn(2, 1, 3, 32, 32)
    for fusion, expected in (
        ('diff', lambda a, b: b - a),
        ('abs_diff', lambda a, b: (a - b).abs()),
        ('concat', lambda a, b: torch.cat([a, b], 1)),
    ):
        model = detector(fusion=fusion, deepest='second')
        found = model.extract_feat([first, second])
        a, b = model.backbone(first), model.backbone(second)
        torch.testing.assert_close(found[1], expected(a[1], b[1]))
        torch.testing.assert_close(found[-1], b[-1])
    with pytest.raises(ConfigError, match="fusion='sum'"):
        detector(fusion='sum')


def test_a_frozen_encoder_keeps_weights_and_statistics() -> None:
    model = detector(PYRAMID, 'UNetDecoder', frozen=True).train()
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    sample = data_sample(torch.ones(1, 32, 32, dtype=torch.int64))
    losses = model(list(torch.randn(2, 2, 3, 32, 32)), [sample, sample], mode='loss')
    sum(losses.values()).backward()
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
    for key, value in model.backbone.state_dict().items():
        torch.testing.assert_close(value, before[key])
    assert model.decode_head.training
    assert not model.backbone.training


def data_sample(label: torch.Tensor):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    sample = SegDataSample()
    sample.gt_sem_seg = PixelData(data=label)
    return sample


def test_threshold_is_a_probability() -> None:
    logits = torch.tensor([[[[-2.0, 0.0, 0.5, 3.0]]]])
    for threshold in (0.3, 0.5, 0.9):
        model = detector(threshold=threshold)
        expected = logits[:, 0].sigmoid() > threshold
        assert torch.equal(model.decide(logits), expected)


def test_ignored_pixels_do_not_change_the_loss() -> None:
    loss = MODELS.build(
        dict(type='ChangeLoss', terms=dict(bce=1.0, dice=1.0, focal=1.0), pos_weight=4.0)
    )
    logits, target = torch.randn(2, 1, 6, 6), torch.randint(0, 2, (2, 6, 6))
    padded = torch.nn.functional.pad(logits, (0, 3), value=9.0)
    wide = torch.nn.functional.pad(target, (0, 3), value=255)
    found, expected = loss(padded, wide), loss(logits, target)
    assert set(found) == {'loss_bce', 'loss_dice', 'loss_focal'}
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value)
    nothing = loss(logits, torch.full_like(target, 255))
    assert all(torch.isfinite(value) for value in nothing.values())


def test_weight_of_change_in_the_entropy() -> None:
    logits, target = torch.randn(1, 1, 4, 4), torch.randint(0, 2, (1, 4, 4))
    loss = MODELS.build(dict(type='ChangeLoss', terms=dict(bce=1.0), pos_weight=3.0))
    weight = 1 + 2 * target.float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[:, 0], target.float(), weight, reduction='sum'
    )
    torch.testing.assert_close(loss(logits, target)['loss_bce'], expected / weight.sum())


LITE0 = dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0', features_only=True)


def test_an_enlarged_encoder_has_finer_features_of_the_enlarged_image() -> None:
    torch.manual_seed(0)
    encoder = MODELS.build(dict(type='Enlarged', backbone=LITE0, factor=2)).eval()
    image = torch.randn(1, 3, 32, 48)
    features = encoder(image)
    assert [tuple(f.shape[1:]) for f in features] == [
        (16, 32, 48), (24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3),
    ]  # fmt: skip
    large = torch.nn.functional.interpolate(image, (64, 96), mode='bilinear')
    for found, expected in zip(features, encoder.net(large), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    with pytest.raises(ConfigError, match='factor=0'):
        MODELS.build(dict(type='Enlarged', backbone=LITE0, factor=0))


def test_lateral_decoder_sizes() -> None:
    decoder = MODELS.build(dict(type='LateralDecoder', in_channels=(16, 24, 40, 112, 320)))
    assert count(decoder) == 90_721
    model = detector(dict(type='Enlarged', backbone=LITE0), 'LateralDecoder', multiple=16)
    pair = list(torch.randn(2, 1, 3, 50, 71))
    logits = model(pair)
    assert logits.shape == (1, 1, 50, 71)
    torch.testing.assert_close(logits, model(pair[::-1]))


@pytest.mark.parametrize('share', [0.01, 0.1, 0.5, 1.0])
def test_the_changed_share_of_a_scene_is_bounded(share: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 1, 20, 30) + torch.tensor([-9.0, 0.0, 9.0])[:, None, None, None]
    model = detector(max_share=share)
    free, bounded = model.decide(logits), model.decide_scenes(logits)
    assert not (bounded & ~free).any()
    for before, after, scores in zip(free, bounded, logits[:, 0], strict=True):
        assert after.sum() == min(before.sum(), int(share * after.numel()))
        if 0 < after.sum() < before.sum():
            assert scores[after].min() > scores[before & ~after].max()
    found = model.samples(logits, None)
    for sample, expected in zip(found, bounded, strict=True):
        assert torch.equal(sample.pred_sem_seg.data[0].bool(), expected)


def test_equal_scores_at_the_edge_are_no_change() -> None:
    assert likeliest(torch.ones(1, 4, 5), 0.3).sum() == 0
    assert likeliest(torch.ones(1, 4, 5), 1.0).all()
    scores = torch.tensor([[[4.0, 3, 3, 2, 1, 0, 0, 0, 0, 0]]])
    assert likeliest(scores, 0.2)[0, 0].nonzero().flatten().tolist() == [0]
    assert likeliest(scores, 0.3)[0, 0].nonzero().flatten().tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match='max_share=0'):
        detector(max_share=0)
