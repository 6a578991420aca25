"""All rules in both frames, on networks of a few thousand weights: what the table tests share."""

from __future__ import annotations

import copy

import torch
from mmpretrain.structures import DataSample

from rsmm.models.semisup.rules.base import Rule
from rsmm.registry import MODELS

CLASSES, SIZE = 3, 8
#: Settings under which a run of a few steps reaches every branch of a rule.
RULES: dict[str, dict] = {
    'SupervisedRule': {},
    'PseudoLabelRule': dict(threshold=0.3),
    'PiModelRule': {},
    'MeanTeacherRule': dict(momentum=0.5),
    'VATRule': {},
    'MixMatchRule': {},
    'ReMixMatchRule': {},
    'UDARule': dict(threshold=0.3),
    'FixMatchRule': dict(threshold=0.35),
    'FlexMatchRule': dict(threshold=0.35),
    'DashRule': dict(warmup=1, calibration=1, decay_every=1),
    'CRMatchRule': dict(threshold=0.35),
    'CoMatchRule': dict(threshold=0.3, edge=0.2, queue_len=20, align_len=2),
    'SimMatchRule': dict(threshold=0.3, align_len=2),
    'AdaMatchRule': {},
    'FreeMatchRule': dict(fairness_weight=0.1, momentum=0.5),
    'SoftMatchRule': dict(momentum=0.5),
    'DeFixMatchRule': dict(threshold=0.35),
    'UDALRule': dict(threshold=0.35, momentum=0.5),
    'CDMADRule': dict(threshold=0.35),
}
MANY: dict[str, dict] = {
    'SupervisedRule': {},
    'FixMatchRule': dict(threshold=(0.45, 0.55)),
    'DeFixMatchRule': dict(threshold=(0.45, 0.55)),
    'FreeMatchRule': dict(fairness_weight=0.01, momentum=0.5),
    'SoftMatchRule': dict(momentum=0.5),
    'UDALRule': dict(threshold=0.5, momentum=0.5),
    'CAPRule': dict(pos_per=0.6, neg_per=0.6, momentum=0.5, queue_len=24),
    'CDMADRule': dict(threshold=(0.45, 0.55)),
}
CASES = [(name, False) for name in RULES] + [(name, True) for name in MANY]
IDS = [f'{name}{"-many" if many else ""}' for name, many in CASES]
FRAMES = ('SSLClassifier', 'STSSLClassifier')
LABELLED, UNLABELLED, STEPS = 12, 24, 12


def rule_config(name: str, many: bool, **changes) -> dict:
    """Config of a rule under the table's settings."""
    settings = (MANY if many else RULES)[name]
    if many:
        settings = {**settings, 'multi_label': True}
    return dict(type=name, num_classes=CLASSES, **{**settings, **changes})


def build(frame: str, name: str, many: bool, prepared: bool = True, seed: int = 0, **changes):
    """A small model in training mode, told what a run would tell it."""
    torch.manual_seed(seed)
    arch = dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=24)
    model = MODELS.build(
        dict(
            type=frame,
            backbone=dict(type='ViTExtraToken', arch=arch, img_size=SIZE, patch_size=4),
            head=dict(type='mmpretrain.LinearClsHead', num_classes=CLASSES, in_channels=12),
            rule=rule_config(name, many, **changes),
        )
    )
    for parameter in model.parameters():  # predictions that differ from sample to sample
        parameter.data += 0.2 * torch.randn_like(parameter)
    if prepared:
        prepare(model.rule)
    return model.train()


def prepare(rule: Rule) -> None:
    """What ``SemiSupervisedHook`` would tell."""
    frequency = torch.tensor([0.5, 0.3, 0.2])
    rule.prepare(
        num_labelled=LABELLED,
        num_unlabelled=UNLABELLED,
        class_frequency=frequency,
        max_iters=STEPS,
    )


def batch(many: bool, step: int, labelled: int = 4, unlabelled: int = 8) -> tuple[dict, dict]:
    """A batch as the two-stream collate gives it, after the preprocessor."""
    draw = torch.Generator().manual_seed(100 + step)
    names = {'labelled': labelled, 'labelled_strong': labelled}
    names |= dict.fromkeys(('weak', 'strong', 'weak_2', 'strong_2'), unlabelled)
    inputs = {
        name: torch.randn(count, 3, SIZE, SIZE, generator=draw) for name, count in names.items()
    }
    samples = {
        'labelled': [_sample(many, step, i, LABELLED, draw) for i in range(labelled)],
        'unlabelled': [_sample(many, step, i, UNLABELLED, draw, True) for i in range(unlabelled)],
    }
    return inputs, samples


def _sample(many: bool, step: int, i: int, size: int, draw, hidden: bool = False) -> DataSample:
    sample = DataSample()
    index = (step * 5 + i) % size
    place = torch.rand(3, generator=draw)
    sample.set_metainfo(
        dict(
            sample_idx=index,
            latitude=None if i == 1 else float(place[0]) * 180 - 90,
            longitude=None if i == 1 else float(place[1]) * 360 - 180,
            day_of_year=None if i == 2 else 1 + int(place[2] * 365),
        )
    )
    label = index % CLASSES
    score = torch.tensor([1.0, float(index % 2), -1.0 if i == 0 else float(index % 3 == 0)])
    if hidden:
        sample.set_metainfo(dict(hidden_label=score if many else label))
    elif many:
        sample.set_gt_score(score)
    else:
        sample.set_gt_label(label)
    return sample


def share(data: tuple[dict, dict], rank: int, world_size: int) -> tuple[dict, dict]:
    """The rows of one process, dealt in turn as the samplers do."""
    inputs, samples = data
    return (
        {name: images[rank::world_size] for name, images in inputs.items()},
        {name: rows[rank::world_size] for name, rows in samples.items()},
    )


def total(losses: dict) -> torch.Tensor:
    """What is learned from."""
    return sum(value for name, value in losses.items() if 'loss' in name)


def train(model, many: bool, steps, optimizer=None) -> tuple[list[dict], torch.optim.Optimizer]:
    """Take steps of plain descent; returns the loss terms of each and the optimizer."""
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.SGD(learnt, lr=0.1, momentum=0.9)
    history = []
    for step in steps:
        torch.manual_seed(1000 + step)
        losses = model(*copy.deepcopy(batch(many, step)), mode='loss')
        optimizer.zero_grad()
        total(losses).backward()
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    return history, optimizer
