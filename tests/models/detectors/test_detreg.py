"""DETReg's detector: what is trained, what is frozen, and how it becomes a detector."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config
from rsmm.checkpoints.weights import load_weights
from rsmm.engine.trainable_only import TrainableOnlyConstructor
from rsmm.errors import CheckpointError, ConfigError, DataError
from rsmm.models.detectors.conversion import finetuning_weights
from rsmm.models.detectors.patch_teacher import PatchTeacher
from rsmm.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
TINY = dict(type='mmpretrain.ResNet', depth=18, num_stages=4, out_indices=(1,))


@pytest.fixture(autouse=True, scope='module')
def scope():
    init_default_scope('rsmm')


@pytest.fixture(scope='module')
def config():
    config = load_config(CONFIGS / 'detreg/detreg_r18_20e_toy.py')
    config.model.encoder.num_layers = 1
    config.model.decoder.num_layers = 2
    config.model.num_queries = 20
    return config


@pytest.fixture(scope='module')
def model(config):
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config.model))
    model.init_weights()
    return model.train()


def batch(order: list[int] | None = None, size: int = 96) -> dict:
    """Two images with four proposals each, optionally in another order."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    generator = torch.Generator().manual_seed(1)
    inputs, samples = [], []
    for index in range(2):
        inputs.append(torch.randint(0, 255, (3, size, size), generator=generator).byte())
        corners = torch.rand(4, 4, generator=generator) * 40
        boxes = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:] + 8], 1)
        patches = torch.randint(0, 255, (4, 3, 32, 32), generator=generator).byte()
        order_ = order or [0, 1, 2, 3]
        truth = InstanceData(
            bboxes=boxes[order_], labels=torch.zeros(4).long(), patches=patches[order_]
        )
        meta = dict(img_id=index, img_shape=(size, size), ori_shape=(size, size))
        samples.append(DetDataSample(metainfo=meta, gt_instances=truth))
    return dict(inputs=inputs, data_samples=samples)


def losses_of(model, data: dict) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)  # dropout
    prepared = model.data_preprocessor(data, True)
    return model.parse_losses(model(**prepared, mode='loss'))[1]


def test_published_number_of_trainable_parameters() -> None:
    full = MODELS.build(load_config(CONFIGS / '_base_/models/detreg_r50.py').model)
    assert sum(p.numel() for p in full.parameters() if p.requires_grad) == 16_787_975


def test_gradients_reach_neither_backbone_nor_teacher(model) -> None:
    model.zero_grad()
    losses_of(model, batch())['loss'].backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())
    assert model.bbox_head.embedding_branch[0].weight.grad.abs().sum() > 0
    assert model.encoder.layers[0].self_attn.value_proj.weight.grad.abs().sum() > 0


def test_teacher_is_no_part_of_the_model(model) -> None:
    assert not any('teacher' in name for name, _ in model.named_parameters())
    assert not any('teacher' in name for name in model.state_dict())
    assert not model.train().teacher.training
    double = copy.deepcopy(model).double()
    assert next(double.teacher.parameters()).dtype == torch.float64


def test_frozen_batch_statistics_do_not_drift(model) -> None:
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    teacher = {k: v.clone() for k, v in model.teacher.state_dict().items()}
    losses_of(model.train(), batch())
    for key, value in model.backbone.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    for key, value in model.teacher.state_dict().items():
        torch.testing.assert_close(value, teacher[key], rtol=0, atol=0)


def test_optimizer_holds_only_what_is_trained(model) -> None:
    build = TrainableOnlyConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
        dict(custom_keys={'backbone': dict(lr_mult=0.1)}),
    )
    groups = build(model).optimizer.param_groups
    held = {id(p) for group in groups for p in group['params']}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}
    assert not held & {id(p) for p in model.backbone.parameters()}


def test_order_of_proposals_does_not_matter(model) -> None:
    first, second = losses_of(model, batch()), losses_of(model, batch([2, 0, 3, 1]))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-5)


def test_padding_takes_no_part_in_normalisation(model) -> None:
    """Boxes are shares of the image itself, not of the batch that padding has made larger."""
    data = batch()
    samples = data['data_samples']
    boxes = samples[0].gt_instances.bboxes
    assert boxes.max() < 96
    samples[0].set_metainfo({'img_shape': (96, 96), 'batch_input_shape': (160, 192)})
    truth = samples[0].gt_instances
    truth.embeddings = torch.randn(4, model.bbox_head.embedding_dim)
    centre = torch.cat([boxes[:, :2] + boxes[:, 2:], 2 * (boxes[:, 2:] - boxes[:, :2])], 1) / 192
    logits, order = torch.zeros(4, 1), [3, 1, 0, 2]
    embeddings = truth.embeddings[order]
    predicted, target = model.bbox_head._match(
        logits, centre[order], embeddings, truth, samples[0].metainfo
    )
    torch.testing.assert_close(predicted, target, rtol=0, atol=0)
    losses = model.bbox_head.loss_by_feat_single(
        logits[None], centre[order][None], [truth], [samples[0].metainfo]
    )
    assert losses[1] < 1e-6  # L1
    assert losses[2] < 1e-5  # GIoU


def test_embedding_loss_compares_with_the_patches(model) -> None:
    data = batch()
    other = batch()
    for sample in other['data_samples']:
        sample.gt_instances.patches = 255 - sample.gt_instances.patches
    first, second = losses_of(model, data), losses_of(model, other)
    assert first['loss_embedding'] != second['loss_embedding']
    torch.testing.assert_close(first['loss_cls'], second['loss_cls'])


def test_bad_input(model, config) -> None:
    data = batch()
    for sample in data['data_samples']:
        del sample.gt_instances.patches
    with pytest.raises(DataError, match='no patches'):
        losses_of(model, data)
    wrong = copy.deepcopy(config.model)
    wrong.bbox_head.num_classes = 16
    with pytest.raises(ConfigError, match='num_classes is 1'):
        MODELS.build(wrong)
    with pytest.raises(ConfigError, match='head'):
        PatchTeacher(TINY, target='head')


def test_teacher_targets(tmp_path: Path) -> None:
    teacher = PatchTeacher(TINY, batch_size=2)
    patches = torch.randint(0, 255, (5, 3, 32, 32)).byte()
    vectors = teacher(patches)
    assert vectors.shape == (5, 128)
    mean, std = teacher.mean, teacher.std
    expected = teacher.backbone((patches.float() - mean) / std)[0].mean((2, 3))
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-5)
    head = PatchTeacher(
        {**TINY, 'out_indices': (3,)},
        target='head',
        neck=dict(
            type='mmpretrain.SwAVNeck',
            in_channels=512,
            hid_channels=64,
            out_channels=16,
            norm_cfg=dict(type='BN1d'),
        ),
    )
    torch.testing.assert_close(head(patches).norm(dim=1), torch.ones(5))


def test_teacher_checkpoint_must_fit(tmp_path: Path) -> None:
    """A nested training checkpoint is read; a file of which nothing fits is an error."""
    teacher = PatchTeacher(TINY)
    state = {f'backbone.{k}': v for k, v in teacher.backbone.state_dict().items()}
    torch.save({'state_dict': state}, tmp_path / 'good.pth')
    loaded = PatchTeacher(TINY, checkpoint=str(tmp_path / 'good.pth'))
    torch.testing.assert_close(
        loaded.backbone.conv1.weight, teacher.backbone.conv1.weight, rtol=0, atol=0
    )
    renamed = {key.replace('backbone.', 'encoder.'): value for key, value in state.items()}
    torch.save({'state_dict': renamed}, tmp_path / 'bad.pth')
    with pytest.raises(CheckpointError):
        PatchTeacher(TINY, checkpoint=str(tmp_path / 'bad.pth'))


@pytest.mark.parametrize('fault', ['other names', 'another width'])
def test_detector_refuses_weights_of_another_backbone(tmp_path: Path, fault: str) -> None:
    """Loading nothing, or a part, is an error and no warning."""
    path = CONFIGS / 'deformable_detr/deformable-detr_r18-narrow_40e_toy.py'
    state = MODELS.build(load_config(path).model).backbone.state_dict()
    if fault == 'other names':
        state = {f'encoder.{key}': value for key, value in state.items()}
    else:
        state = {f'backbone.{key}': value for key, value in state.items()}
        state['backbone.layer1.0.conv1.weight'] = torch.zeros(16, 16, 3, 3)
    torch.save({'state_dict': state}, tmp_path / 'bad.pth')
    detector = MODELS.build(load_config(path, {'pretrained': str(tmp_path / 'bad.pth')}).model)
    with pytest.raises(CheckpointError, match="begins with 'backbone|layer1.0.conv1.weight"):
        detector.init_weights()


def test_conversion_to_a_detector(model, config) -> None:
    converted = finetuning_weights({'state_dict': model.state_dict()})
    assert all('cls_branches' in k or 'embedding_branch' in k for k in converted.dropped)
    assert len(converted.state_dict) + len(converted.dropped) == len(model.state_dict())
    settings = copy.deepcopy(config.model)
    settings.type = 'mmdet.DeformableDETR'
    settings.pop('teacher')
    settings.bbox_head.update(type='mmdet.DeformableDETRHead', num_classes=16)
    settings.bbox_head.pop('embedding_dim')
    detector = MODELS.build(settings)
    report = load_weights(detector, converted.state_dict, strict='parts')
    assert report.unexpected == []
    assert all('cls_branches' in key for key in report.missing)
    torch.testing.assert_close(detector.level_embed, model.level_embed)
    with pytest.raises(CheckpointError, match='no DETReg checkpoint'):
        finetuning_weights({'state_dict': detector.state_dict()})
