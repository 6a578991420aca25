"""Properties that every rule has in both frames."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.testing import assert_close

from rsmm.errors import ConfigError
from rsmm.registry import MODELS
from tests.models.semisup.tables import (
    CASES,
    CLASSES,
    FRAMES,
    IDS,
    MANY,
    RULES,
    batch,
    build,
    prepare,
    total,
    train,
)

every_rule = pytest.mark.parametrize(('name', 'many'), CASES, ids=IDS)
both_frames = pytest.mark.parametrize('frame', FRAMES)


@pytest.mark.parametrize('name', [*RULES, 'CAPRule'])
def test_builds_from_its_name_and_classes(name):
    rule = MODELS.build(dict(type=name, num_classes=CLASSES))
    assert rule.state_dict()['step'] == 0
    assert rule.multi_label == (name == 'CAPRule')
    if name in MANY:
        assert MODELS.build(dict(type=name, num_classes=CLASSES, multi_label=True)).multi_label
    else:
        with pytest.raises(ConfigError, match='multi_label'):
            MODELS.build(dict(type=name, num_classes=CLASSES, multi_label=True))


def test_cap_is_for_many_labels():
    with pytest.raises(ConfigError, match='many labels'):
        MODELS.build(dict(type='CAPRule', num_classes=CLASSES, multi_label=False))


@both_frames
@every_rule
def test_steps_are_finite_and_reach_every_weight(frame, name, many):
    model = build(frame, name, many)
    keys = set(model.state_dict())
    history, _ = train(model, many, range(4))
    for losses in history:
        assert all(math.isfinite(value) for value in losses.values()), losses
    assert set(model.state_dict()) == keys, 'state is there from the start'
    assert all(value.isfinite().all() for value in model.state_dict().values())
    unreached = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unreached == [], 'a distributed wrapper would wait for their gradients'
    assert int(model.rule.step) == 4
    if name == 'SupervisedRule':
        return
    assert any('used' in losses for losses in history)
    extra = [
        abs(value)
        for losses in history
        for key, value in losses.items()
        if 'loss' in key and not key.endswith('loss_supervised')
    ]
    assert max(extra) > 1e-4, 'no unlabelled term, so the other tests would test nothing'


@both_frames
@every_rule
def test_weight_zero_is_the_supervised_loss(frame, name, many):
    if name == 'SupervisedRule':
        return
    model = build(frame, name, many, weight=0.0)
    if frame == 'STSSLClassifier':
        model.distill_weight = 0.0
    for step in range(2):
        losses = model(*batch(many, step), mode='loss')
        supervised = sum(v for k, v in losses.items() if k.endswith('loss_supervised'))
        assert_close(total(losses), supervised, rtol=0, atol=0)


@every_rule
def test_single_precision_is_enough(name, many):
    """Gradients are those of double precision: nothing is lost in rounding."""
    gradients = []
    for dtype in (torch.float32, torch.float64):
        model = build('STSSLClassifier', name, many).to(dtype)
        for step in range(2):
            inputs, samples = batch(many, step)
            inputs = {view: images.to(dtype) for view, images in inputs.items()}
            if name == 'VATRule':  # its noise differs between the types: compare the rest
                model.rule.weight = 0.0
            losses = model(inputs, samples, mode='loss')
        total(losses).backward()
        found = [p.grad.double().flatten() for p in model.parameters() if p.grad is not None]
        gradients.append(torch.cat(found))
    assert_close(*gradients, atol=1e-4 * float(gradients[1].abs().max()), rtol=1e-3)


@every_rule
def test_mixed_precision(name, many):
    """Thresholds and losses stay in single precision when the network runs in half of it."""
    model = build('STSSLClassifier', name, many)
    for step in range(2):
        with torch.autocast('cpu', torch.bfloat16):
            losses = model(*batch(many, step), mode='loss')
        total(losses).backward()
    assert all(value.isfinite() for value in losses.values())
    floating = [v for v in model.state_dict().values() if v.is_floating_point()]
    assert {value.dtype for value in floating} == {torch.float32}


#: Rules whose supervised term is the plain one.
PLAIN = [
    (name, many)
    for name, many in CASES
    if name not in ('MixMatchRule', 'ReMixMatchRule', 'DeFixMatchRule', 'UDALRule', 'CAPRule')
]


@both_frames
@pytest.mark.parametrize(('name', 'many'), PLAIN)
def test_supervised_term_is_that_of_the_supervised_rule(frame, name, many):
    model, plain = build(frame, name, many), build(frame, 'SupervisedRule', many)
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if k in plain.state_dict()})
    found, expected = (m(*batch(many, 0), mode='loss') for m in (model, plain))
    for key, value in expected.items():
        if key.endswith('loss_supervised'):
            assert_close(found[key], value)


@every_rule
def test_who_learns_from_whom(name, many):
    """Nothing flows between teacher and student but the token's distance, into the student."""
    model = build('STSSLClassifier', name, many)
    for step in range(2):  # past a warm-up
        losses = model(*batch(many, step), mode='loss')
    names = {n for n, p in model.named_parameters() if p.requires_grad}
    distillation = losses.pop('loss_distill')
    teacher = sum(v for k, v in losses.items() if k.startswith('teacher_loss'))
    student = sum(v for k, v in losses.items() if k.startswith('loss'))
    of_teacher = {n for n in names if n.startswith('teacher.')}
    of_backbone = {n for n in names if n.startswith('backbone.')}
    for term, reachable in (
        (teacher, of_teacher),
        (student, names - of_teacher),
        (distillation, of_backbone),
    ):
        model.zero_grad()
        term.backward(retain_graph=True)
        reached = {n for n, p in model.named_parameters() if p.grad is not None}
        assert reached
        assert reached <= reachable
    assert reached == of_backbone
    assert 'backbone.token_embed' in reached


@both_frames
@every_rule
def test_killed_is_unbroken(frame, name, many):
    whole = build(frame, name, many)
    expected, _ = train(whole, many, range(4))
    broken = build(frame, name, many)
    first, optimizer = train(broken, many, range(2))
    saved = copy.deepcopy((broken.state_dict(), optimizer.state_dict()))
    resumed = build(frame, name, many, seed=7)  # other weights: all must come from the file
    resumed.load_state_dict(saved[0])
    other = torch.optim.SGD([p for p in resumed.parameters() if p.requires_grad], lr=0.1)
    other.load_state_dict(saved[1])
    second, _ = train(resumed, many, range(2, 4), other)
    assert first + second == expected
    state = copy.deepcopy(whole.state_dict())
    for key, value in state.items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    prepare(whole.rule)  # as a resumed run does: nothing is forgotten
    for key, value in state.items():
        assert torch.equal(value, whole.state_dict()[key]), key
    # For testing, no run says the sizes of the state: they come from the file.
    tested = build(frame, name, many, prepared=False)
    tested.load_state_dict(state)
    images = batch(many, 9)[0]['labelled']
    with torch.no_grad():
        one, two = (model.eval()(images, None, mode='predict') for model in (tested, whole))
    for found, known in zip(one, two, strict=True):
        assert torch.equal(found.pred_score, known.pred_score)
        assert torch.equal(found.pred_label, known.pred_label)


@pytest.mark.parametrize(
    'name', ['FlexMatchRule', 'SimMatchRule', 'UDALRule', 'ReMixMatchRule', 'PiModelRule']
)
def test_what_a_run_must_tell_is_asked_for(name):
    model = build('SSLClassifier', name, False, prepared=False)
    with pytest.raises(ConfigError, match='SemiSupervisedHook'):
        model(*batch(False, 0), mode='loss')


@every_rule
def test_missing_view_names_the_line_to_add(name, many):
    model = build('SSLClassifier', name, many)
    for view in model.rule.views:
        inputs, samples = batch(many, 0)
        del inputs[view]
        with pytest.raises(ConfigError, match=f"no view '{view}'.*(WeakStrong|labelled=)"):
            model(inputs, samples, mode='loss')
