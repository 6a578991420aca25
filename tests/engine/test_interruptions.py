"""Runs stopped at the worst moments go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from rsmm.apis import run
from rsmm.checkpoints import files
from rsmm.checkpoints.run_files import best_checkpoint, newest_checkpoint
from rsmm.datasets.samplers.epoch_sampler import EpochSampler
from rsmm.datasets.samplers.paired_place import PairedPlaceSampler
from rsmm.engine.hooks.checkpoint_hook import CheckpointHook
from rsmm.engine.loops.train import Rest
from rsmm.engine.pause import PAUSED_STATUS, Paused
from rsmm.errors import CheckpointError, ConfigError
from rsmm.registry import HOOKS
from tests.datasets.chips import write_jpg_chips
from tests.engine.test_runs import CONFIG, losses, options

STEPS = 60 // 16  # of an epoch
BEST = {'default_hooks.checkpoint.save_best': 'accuracy/top1'}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test catches it."""


@HOOKS.register_module()
class At(Hook):
    """Does something at one moment of the first run that reaches it."""

    priority = 'VERY_LOW'

    def __init__(self, moment: str, epoch: int, step: int, signal: int | None = None) -> None:
        self.moment, self.place, self.signal = moment, (epoch, step), signal

    def _strike(self, moment: str, runner, step: int) -> None:
        if moment == self.moment and (runner.epoch, step) == self.place:
            if self.signal is None:
                raise Killed
            os.kill(os.getpid(), self.signal)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._strike('train', runner, batch_idx)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._strike('val', runner, batch_idx)

    def after_val_epoch(self, runner, metrics=None) -> None:
        self._strike('validated', runner, 0)


@pytest.fixture(scope='module')
def chips(tmp_path_factory) -> Path:
    """Eight chips of each of the ten classes, told apart by their colour."""
    root = tmp_path_factory.mktemp('eurosat')
    write_jpg_chips(root, per_class=8)
    return root


@pytest.fixture
def config(tmp_path, repo_root) -> Path:
    path = tmp_path / 'tiny.py'
    path.write_text(CONFIG.format(repo=repo_root))
    return path


def train(config, work_dir, chips, resume=False, strike=None, **more):
    hooks = {'custom_hooks': [dict(type='At', **strike)]} if strike else {}
    return run.train(
        config, work_dir=work_dir, resume=resume, options=options(chips, **BEST, **hooks, **more)
    )


def state(folder: Path) -> dict:
    """What a run ends with: weights, schedules, history, best file, logged steps."""
    last = newest_checkpoint(folder)
    checkpoint = torch.load(last, weights_only=True)
    scalars = checkpoint['message_hub']['log_scalars']
    # How long a step took is no part of what is repeated.
    history = {k: v['log']['data'].tolist() for k, v in scalars.items() if 'time' not in k}
    best = best_checkpoint(folder)
    return {
        'last': last.name,
        'files': sorted(path.name for path in folder.glob('*.pth')),
        'weights': checkpoint['state_dict'],
        'optimizer': checkpoint['optimizer'],
        'schedules': checkpoint['param_schedulers'],
        'history': history,
        'info': checkpoint['message_hub']['runtime_info']['best_score'],
        'best': torch.load(best, weights_only=True)['state_dict'],
        'losses': losses(folder),
        'validations': validations(folder),
    }


def validations(folder: Path) -> dict:
    rows = [
        json.loads(line)
        for file in sorted(folder.glob('*/vis_data/scalars.json'))
        for line in file.read_text().splitlines()
    ]
    return {row['step']: row['accuracy/top1'] for row in rows if 'accuracy/top1' in row}


def assert_same(one, other, where='') -> None:
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f'{where}[{index}]')
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other or (one != one and other != other), where


@pytest.fixture(scope='module')
def unbroken(chips, tmp_path_factory, repo_root) -> dict:
    folder = tmp_path_factory.mktemp('unbroken')
    (folder / 'tiny.py').write_text(CONFIG.format(repo=repo_root))
    train(folder / 'tiny.py', folder / 'run', chips)
    return state(folder / 'run')


KILLS = {
    'within an epoch': dict(moment='train', epoch=2, step=1),
    'in the first validation': dict(moment='val', epoch=1, step=0),
    'in the last validation': dict(moment='val', epoch=4, step=0),
    'after validating': dict(moment='validated', epoch=2, step=0),
}


@pytest.mark.parametrize('strike', KILLS.values(), ids=KILLS)
def test_killed_by_the_clock(config, chips, tmp_path, unbroken, strike):
    with pytest.raises(Killed):
        train(config, tmp_path / 'run', chips, strike=strike)
    resume = newest_checkpoint(tmp_path / 'run') is not None
    train(config, tmp_path / 'run', chips, resume=resume)
    assert_same(state(tmp_path / 'run'), unbroken)


FILES = ('epoch_1.pth', 'last_checkpoint', 'best_accuracy_top1_epoch_1.pth', 'epoch_1.pth again')


@pytest.mark.parametrize('full', [False, True], ids=['killed', 'full disk'])
@pytest.mark.parametrize('file', FILES)
def test_stopped_while_a_file_is_written(
    config,
    chips,
    tmp_path,
    unbroken,
    monkeypatch,
    file,
    full,
):
    name, _, again = file.partition(' ')
    seen = []

    def die(path: Path) -> None:
        if Path(path).name == name:
            seen.append(path)
            if len(seen) == 1 + bool(again):
                raise OSError(28, 'No space left on device') if full else Killed

    original = files.atomic_write

    def write(path, *args, **kwargs):
        die(path)
        return original(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(files, 'atomic_write', write)
        with pytest.raises(CheckpointError if full else Killed):
            train(config, tmp_path / 'run', chips)
    assert len(seen) == 1 + bool(again)
    resume = newest_checkpoint(tmp_path / 'run') is not None
    train(config, tmp_path / 'run', chips, resume=resume)
    assert_same(state(tmp_path / 'run'), unbroken)


SIGNALS = {
    'first step': (dict(moment='train', epoch=0, step=0, signal=signal.SIGTERM), {}),
    'within an epoch': (dict(moment='train', epoch=2, step=1, signal=signal.SIGUSR1), {}),
    'last step of an epoch': (
        dict(moment='train', epoch=1, step=STEPS - 1, signal=signal.SIGTERM),
        {},
    ),
    'workers': (dict(moment='train', epoch=1, step=0, signal=signal.SIGTERM), {'num_workers': 2}),
    'in validation': (dict(moment='val', epoch=2, step=0, signal=signal.SIGTERM), {}),
}


@pytest.mark.parametrize(('strike', 'more'), SIGNALS.values(), ids=SIGNALS)
def test_paused_and_resumed_is_unbroken(
    config,
    chips,
    tmp_path,
    unbroken,
    capsys,
    strike,
    more,
):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Paused) as stopped:
        train(config, tmp_path / 'run', chips, strike=strike, **more)
    assert stopped.value.code == PAUSED_STATUS
    assert signal.getsignal(signal.SIGTERM) is before
    assert '--resume goes on' in capsys.readouterr().err
    steps = strike['epoch'] * STEPS + (strike['moment'] == 'train') * (strike['step'] + 1)
    checkpoint = torch.load(newest_checkpoint(tmp_path / 'run'), weights_only=True)
    assert checkpoint['meta']['iter'] == steps
    train(config, tmp_path / 'run', chips, resume=True)
    assert_same(state(tmp_path / 'run'), unbroken)


ACCUMULATED = """
optim_wrapper.update(accumulative_counts=2)
"""
ITERATIONS = """
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=8, val_interval=4)
train_dataloader = dict(sampler=dict(_delete_=True, type='EpochInfiniteSampler'))
param_scheduler = [dict(type='mmengine.LinearLR', start_factor=0.1, by_epoch=False, end=8)]
default_hooks['checkpoint'].update(by_epoch=False, interval=4)
"""


@pytest.mark.parametrize('more', [ACCUMULATED, ITERATIONS], ids=['accumulated', 'iterations'])
def test_other_runs_paused(config, chips, tmp_path, more):
    epoch, step = (0, 5) if more is ITERATIONS else (1, 1)
    strike = dict(moment='train', epoch=epoch, step=step, signal=signal.SIGTERM)
    config.write_text(config.read_text() + more)
    train(config, tmp_path / 'whole', chips)
    with pytest.raises(Paused):
        train(config, tmp_path / 'run', chips, strike=strike)
    train(config, tmp_path / 'run', chips, resume=True)
    assert_same(state(tmp_path / 'run'), state(tmp_path / 'whole'))


@pytest.mark.parametrize('sampler', [DefaultSampler, EpochSampler, PairedPlaceSampler])
@pytest.mark.parametrize('workers', [0, 2])
def test_the_rest_of_an_epoch(sampler, workers):
    data = list(range(20))
    loader = DataLoader(
        data, batch_size=4, sampler=sampler(data, seed=3), num_workers=workers, drop_last=True
    )
    whole = [batch.tolist() for batch in loader]
    assert [batch.tolist() for batch in Rest(loader, 2)] == whole[2:]
    assert len(Rest(loader, 2)) == len(loader)
    assert [batch.tolist() for batch in loader] == whole  # the next epoch begins at its beginning


def test_another_batch_size_within_an_epoch_is_refused(config, chips, tmp_path):
    strike = dict(moment='train', epoch=1, step=0, signal=signal.SIGTERM)
    with pytest.raises(Paused):
        train(config, tmp_path / 'run', chips, strike=strike)
    with pytest.raises(ConfigError, match=r'stopped after 1 of 3 steps .* now has 7'):
        train(config, tmp_path / 'run', chips, resume=True, batch_size=8)


def test_the_newest_of_several_best_files(tmp_path):
    for name in ('epoch_9', 'epoch_10', 'epoch_2'):
        (tmp_path / f'best_accuracy_top1_{name}.pth').touch()
    (tmp_path / 'best_loss_epoch_30.pth').touch()
    found = best_checkpoint(tmp_path, 'accuracy_top1')
    assert found.name == 'best_accuracy_top1_epoch_10.pth'
    assert best_checkpoint(tmp_path / 'none') is None


def test_which_checkpoint_is_the_newest(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    for number, name in enumerate(('epoch_2', 'epoch_10', 'best_a_epoch_11', '.epoch_12.pth.x')):
        path = tmp_path / f'{name}.pth'
        files.save_checkpoint_file({'state_dict': {}}, path)
        os.utime(path, ns=(0, number))
    assert newest_checkpoint(tmp_path).name == 'epoch_10.pth'
    pointer = tmp_path / 'last_checkpoint'
    for text in (b'\xff\xfe\0', b'', b'/gone/epoch_3.pth', b'a\0b'):
        pointer.write_bytes(text)
        assert newest_checkpoint(tmp_path).name == 'epoch_10.pth'
    pointer.write_text('/moved/epoch_2.pth')
    assert newest_checkpoint(tmp_path).name == 'epoch_2.pth'
    pointer.unlink()
    (tmp_path / 'epoch_10.pth').write_bytes(b'PK\x03\x04 cut')
    assert newest_checkpoint(tmp_path, intact=True).name == 'epoch_2.pth'


def test_a_folder_that_cannot_be_written(config, chips, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match=r'file.*cannot be written.*--work-dir'):
        train(config, tmp_path / 'file/run', chips)

    def refuse(**_):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(run.tempfile, 'TemporaryFile', refuse)
    with pytest.raises(ConfigError, match='Permission denied'):
        train(config, tmp_path / 'run', chips)


def test_best_of_a_metric_without_a_rule():
    with pytest.raises(ConfigError, match=r"\['oddness'\].*Set rule='greater'"):
        CheckpointHook(interval=1, save_best='oddness')
    assert CheckpointHook(interval=1, save_best='oddness', rule='less').rules == ['less']
