"""Whole semi-supervised runs: the hook, averaged weights, a killed run, the schedule."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, IterBasedTrainLoop
from torch.testing import assert_close

from rsmm.apis import run
from rsmm.engine.hooks.semisup import class_frequency
from rsmm.engine.schedulers import CosineCycleLR, cosine_cycle
from rsmm.errors import ConfigError
from rsmm.registry import HOOKS
from tests.datasets.chips import write_jpg_chips
from tests.models.semisup.tables import RULES, rule_config

CONFIG = """
_base_ = '{repo}/configs/_base_/default_runtime.py'
views = dict(size=16, policy='sane', bands='eurosat-rgb')
model = dict(
    type='{frame}',
    backbone=dict(
        type='ViTExtraToken', img_size=16, patch_size=8, drop_path_rate=0.2,
        arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32),
    ),
    head=dict(type='mmpretrain.LinearClsHead', num_classes=10, in_channels=16),
    rule={rule},
    data_preprocessor=dict(
        type='TwoStreamPreprocessor', views=views, mean=[127.5] * 3, std=[127.5] * 3
    ),
)
def stream(subset):
    return dict(
        type='EuroSATSSL', data_root='{data}', num_labels=20, split='all', subset=subset,
        pipeline=[
            dict(type='LoadRaster'),
            dict(type='WeakStrong', weak=2, strong=2, views=views),
            dict(type='PackViews'),
        ],
    )
train_dataloader = dict(
    batch_size=8, num_workers=0, drop_last=True,
    sampler=dict(type='TwoStreamSampler', labelled=3, unlabelled=5),
    collate_fn=dict(type='rsmm.two_stream_collate'),
    dataset=dict(
        type='TwoStreams', labelled=stream('labelled'), unlabelled=stream('unlabelled')
    ),
)
del stream
val_dataloader = dict(
    batch_size=40, num_workers=0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='EuroSATSSL', data_root='{data}', num_labels=20, split='all', test_mode=True,
        pipeline=[dict(type='LoadRaster'), dict(type='PackViews')],
    ),
)
val_evaluator = dict(type='mmpretrain.Accuracy')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2))
param_scheduler = dict(type='CosineCycleLR', by_epoch=False, total=4, warmup=1)
train_cfg = dict(by_epoch=False, max_iters=4, val_interval=2)
val_cfg = dict()
default_hooks = dict(
    checkpoint=dict(interval=2, by_epoch=False, max_keep_ckpts=-1),
    random_state=dict(type='RandomStateHook'),
)
custom_hooks = [
    dict(type='SemiSupervisedHook'), dict(type='AveragedWeightsHook', momentum=0.1),
]
"""


@pytest.fixture(scope='module')
def chips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('eurosat')
    write_jpg_chips(root, per_class=4)
    return root


@pytest.fixture
def config(tmp_path, repo_root, chips):
    """Writes the config of a run."""

    def write(frame: str, name: str, many: bool = False, **changes) -> Path:
        rule = rule_config(name, many, **changes)
        rule['num_classes'] = 10
        path = tmp_path / f'{frame}_{name}.py'
        text = CONFIG.format(repo=repo_root, data=chips, frame=frame, rule=rule)
        path.write_text(text)
        return path

    return write


def state(path: Path) -> dict:
    saved = torch.load(path, weights_only=True)
    return {**saved['state_dict'], **{f'raw {k}': v for k, v in saved['ema_state_dict'].items()}}


def killed_is_unbroken(path: Path, folder: Path) -> None:
    run.train(path, work_dir=folder / 'whole')
    broken = folder / 'broken'
    run.train(path, work_dir=broken)
    (broken / 'iter_4.pth').unlink()
    (broken / 'last_checkpoint').write_text(str(broken / 'iter_2.pth'))
    run.train(path, work_dir=broken, resume=True)
    whole, resumed = state(folder / 'whole/iter_4.pth'), state(broken / 'iter_4.pth')
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key
    assert any(not torch.equal(v, state(broken / 'iter_2.pth')[k]) for k, v in whole.items())


#: Rules with each kind of state: sized by the data, queue and averaged network, none but the step.
SOME = [
    ('STSSLClassifier', 'FlexMatchRule'),
    ('SSLClassifier', 'MeanTeacherRule'),
    ('STSSLClassifier', 'CoMatchRule'),
]


@pytest.mark.parametrize(('frame', 'name'), SOME)
def test_killed_run_is_unbroken(frame, name, config, tmp_path):
    killed_is_unbroken(config(frame, name), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('frame', ['SSLClassifier', 'STSSLClassifier'])
@pytest.mark.parametrize('name', RULES)
def test_every_killed_run_is_unbroken(frame, name, config, tmp_path):
    killed_is_unbroken(config(frame, name), tmp_path)


def rows(labelled: int, unlabelled: int) -> dict:
    sampler = 'train_dataloader.sampler'
    return {
        'train_dataloader.batch_size': labelled + unlabelled,
        f'{sampler}.labelled': labelled,
        f'{sampler}.unlabelled': unlabelled,
        'model.backbone.drop_path_rate': 0.0,  # drawn on each process
        'optim_wrapper.optimizer.lr': 2e-4,  # Adam takes rounding for a direction
    }


@pytest.mark.distributed
def test_two_processes_train_as_one(config, tmp_path, repo_root):
    path = config('STSSLClassifier', 'CoMatchRule')
    run.train(path, work_dir=tmp_path / 'one', options=rows(4, 8))
    command = ['bash', 'tools/dist_train.sh', str(path), '2', '--work-dir', tmp_path / 'two']
    result = subprocess.run(
        [*command, '--cfg-options', *(f'{key}={value}' for key, value in rows(2, 4).items())],
        cwd=repo_root,
        env={**os.environ, 'PYTHON': sys.executable},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    one, two = state(tmp_path / 'one/iter_4.pth'), state(tmp_path / 'two/iter_4.pth')
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert_close(two[key], value, rtol=1e-2, atol=2e-3, msg=key)


def test_the_hook_tells_what_the_data_decide(config, tmp_path):
    runner = run.train(config('SSLClassifier', 'FlexMatchRule'), work_dir=tmp_path / 'run')
    rule = runner.model.rule
    assert rule.max_iters == 4
    assert len(rule.selected) == 40
    assert runner.model.seed == 0
    frequency = class_frequency(runner.train_dataloader.dataset, 20, False)
    assert_close(frequency, torch.full((10,), 0.1))
    assert_close(class_frequency(runner.train_dataloader.dataset, 20, True), frequency)


def test_a_trained_rule_is_tested_without_its_data(config, tmp_path, chips):
    path = config('STSSLClassifier', 'FlexMatchRule')
    run.train(path, work_dir=tmp_path / 'run')
    text = path.read_text() + (
        '\ntest_dataloader = val_dataloader\ntest_evaluator = val_evaluator\ntest_cfg = dict()\n'
    )
    path.write_text(text)
    checkpoint = str(tmp_path / 'run/iter_4.pth')
    for network in ('student', 'teacher'):
        options = {'model.predict_with': network}
        scores = run.test(path, checkpoint, work_dir=tmp_path / network, options=options)
        assert 0 <= scores['accuracy/top1'] <= 100


def test_a_new_run_from_trained_weights_counts_from_zero(config, tmp_path):
    path = config('SSLClassifier', 'MeanTeacherRule')
    run.train(path, work_dir=tmp_path / 'first')
    options = {'load_from': str(tmp_path / 'first/iter_4.pth')}
    runner = run.train(path, work_dir=tmp_path / 'second', options=options)
    assert int(runner.model.rule.step) == 4


class TestAveragedWeights:
    class Runner:
        """As much of a runner as the hook touches."""

        def __init__(self, model, step=0):
            self.model, self.iter, self.max_iters = model, step, 2000

    def test_average_starts_with_the_first_step(self):
        model = torch.nn.Linear(1, 1, bias=False)
        runner = self.Runner(model)
        hook = HOOKS.build(dict(type='AveragedWeightsHook', momentum=0.001))
        model.weight.data.fill_(5.0)
        hook.before_run(runner)
        model.weight.data.fill_(0.0)  # initialised, or loaded, after the copy was made
        hook.before_train(runner)
        model.weight.data.fill_(1.0)
        for _ in range(1000):
            hook.after_train_iter(runner, 0)
        average = float(hook.ema_model.module.weight)
        assert average == pytest.approx(0.632305, abs=1e-5)
        before = copy.deepcopy(model.state_dict())
        hook.before_val_epoch(runner)
        assert float(model.weight) == average, 'the average is evaluated'
        hook.after_val_epoch(runner)
        assert torch.equal(model.weight, before['weight']), 'and the raw weights are put back'

    def test_state_that_is_no_weight_is_the_models_own(self):
        model = torch.nn.BatchNorm1d(2)
        runner = self.Runner(model)
        hook = HOOKS.build(dict(type='AveragedWeightsHook'))
        hook.before_run(runner)
        hook.before_train(runner)
        model(torch.randn(4, 2))
        hook.after_train_iter(runner, 0)
        assert torch.equal(hook.ema_model.module.running_mean, model.running_mean)


class TestSchedule:
    @pytest.mark.parametrize(
        ('base', 'total', 'warmup', 'step', 'rate'),
        [
            (1e-4, 64000, 0, 0, 1e-4),
            (1e-4, 64000, 0, 16000, 9.415441e-5),
            (1e-4, 64000, 0, 32000, 7.730105e-5),
            (1e-4, 64000, 0, 48000, 5.141027e-5),
            (1e-4, 64000, 0, 64000, 1.950903e-5),
            (5e-5, 204800, 5120, 0, 0),
            (5e-5, 204800, 5120, 1, 9.765625e-9),
            (5e-5, 204800, 5120, 2560, 2.5e-5),
            (5e-5, 204800, 5120, 5120, 5e-5),
            (5e-5, 204800, 5120, 104960, 3.865052e-5),
            (5e-5, 204800, 5120, 204800, 9.754516e-6),
        ],
    )
    def test_figures(self, base, total, warmup, step, rate):
        assert base * cosine_cycle(step, total, warmup) == pytest.approx(rate, rel=1e-6, abs=1e-12)

    def test_scheduler_follows_and_resumes(self):
        def start():
            weight = torch.nn.Parameter(torch.zeros(1))
            optimizer = OptimWrapper(torch.optim.SGD([weight], lr=2.0))
            return optimizer, CosineCycleLR(optimizer, total=20, warmup=4)

        optimizer, schedule = start()
        rates = []
        for _ in range(20):
            rates.append(optimizer.get_lr()['lr'][0])
            schedule.step()
        assert rates == pytest.approx([2 * cosine_cycle(i, 20, 4) for i in range(20)])
        optimizer, schedule = start()
        for _ in range(7):
            schedule.step()
        saved, weights = schedule.state_dict(), optimizer.state_dict()
        optimizer, schedule = start()
        schedule.load_state_dict(saved)
        optimizer.load_state_dict(weights)
        schedule.step()
        assert optimizer.get_lr()['lr'][0] == pytest.approx(rates[8])

    @pytest.mark.parametrize('settings', [dict(total=0), dict(total=5, warmup=5)])
    def test_refused(self, settings):
        optimizer = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
        with pytest.raises(ConfigError, match='warmup'):
            CosineCycleLR(optimizer, **settings)


def test_hook_without_a_rule():
    class Runner:
        model = torch.nn.Linear(1, 1)
        _train_loop = BaseLoop.__new__(IterBasedTrainLoop)

    with pytest.raises(ConfigError, match=r'Linear has no rule.*SSLClassifier'):
        HOOKS.build(dict(type='SemiSupervisedHook')).before_run(Runner())
