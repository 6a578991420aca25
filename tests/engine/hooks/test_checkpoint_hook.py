from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
from rsmm.engine.hooks.checkpoint_hook import CheckpointHook
from rsmm.errors import CheckpointError, ConfigError
from rsmm.registry import HOOKS


class FakeRunner:
    """Saves the message hub as a real runner does, and can run out of space."""

    def __init__(self, folder: Path) -> None:
        self.work_dir = str(folder)
        self.epoch, self.iter = 0, 0
        self.message_hub = MessageHub.get_instance(f'hook-{folder}')
        self.logger = SimpleNamespace(info=lambda *_: None, warning=lambda *_: None)
        self.full = False
        self.seen: list[set[str]] = []

    def save_checkpoint(self, out_dir, filename, meta=None, **_) -> None:
        self.seen.append({path.name for path in Path(out_dir).glob('*.pth')})
        if self.full:
            raise CheckpointError('no space left', where=filename)
        info = dict(self.message_hub.runtime_info)
        save_checkpoint_file({'info': info, 'meta': meta}, Path(out_dir) / filename)


@pytest.fixture
def runner(tmp_path) -> FakeRunner:
    return FakeRunner(tmp_path)


def epoch(hook: CheckpointHook, runner: FakeRunner, **metrics: float) -> None:
    """One epoch and its validation, in the order of mmengine's loop."""
    hook._save_checkpoint(runner)
    runner.epoch += 1
    runner.iter += 10
    if metrics:
        hook.after_val_epoch(runner, metrics)


def files(runner: FakeRunner) -> set[str]:
    return {path.name for path in Path(runner.work_dir).glob('*.pth')}


def pointed_at(runner: FakeRunner) -> Path:
    return Path((Path(runner.work_dir) / 'last_checkpoint').read_text())


def test_is_the_one_configs_get():
    assert HOOKS.get('CheckpointHook') is CheckpointHook


def test_old_files_go_only_after_the_new_one_is_there(runner):
    hook = CheckpointHook(interval=1, max_keep_ckpts=2)
    hook.before_train(runner)
    for _ in range(4):
        epoch(hook, runner)
        assert pointed_at(runner).is_file()
    assert files(runner) == {'epoch_3.pth', 'epoch_4.pth'}
    assert runner.seen[-1] == {'epoch_2.pth', 'epoch_3.pth'}  # before epoch_4 was complete
    assert load_checkpoint_file(pointed_at(runner))['info']['keep_ckpt_ids'] == [3, 4]


def test_full_disk_leaves_a_run_that_can_go_on(runner):
    hook = CheckpointHook(interval=1, max_keep_ckpts=1)
    hook.before_train(runner)
    epoch(hook, runner)
    runner.full = True
    with pytest.raises(CheckpointError):
        epoch(hook, runner)
    assert files(runner) == {'epoch_1.pth'}
    assert pointed_at(runner).name == 'epoch_1.pth'


def test_best_is_replaced_and_never_pointed_at_in_vain(runner):
    hook = CheckpointHook(interval=1, max_keep_ckpts=1, save_best='acc', rule='greater')
    hook.before_train(runner)
    for score, best in [(0.5, 1), (0.7, 2), (0.6, 2), (0.9, 4)]:
        epoch(hook, runner, acc=score)
        assert files(runner) == {f'epoch_{runner.epoch}.pth', f'best_acc_epoch_{best}.pth'}
        info = load_checkpoint_file(pointed_at(runner))['info']
        assert Path(info['best_ckpt']).is_file()
        assert Path(info['last_ckpt']).is_file()
    assert info['best_score'] == 0.9


def test_killed_between_validation_and_clean_up(runner, monkeypatch):
    hook = CheckpointHook(interval=1, save_best='acc', rule='greater')
    hook.before_train(runner)
    epoch(hook, runner, acc=0.5)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('rsmm.engine.hooks.checkpoint_hook.write_pointer', killed)
    with pytest.raises(KeyboardInterrupt):
        epoch(hook, runner, acc=0.7)
    info = load_checkpoint_file(pointed_at(runner))['info']
    assert Path(info['best_ckpt']).is_file()


def test_several_best_and_auto(runner):
    hook = CheckpointHook(interval=1, save_best=['a/acc', 'loss'], rule=['greater', 'less'])
    hook.before_train(runner)
    epoch(hook, runner, **{'a/acc': 0.5, 'loss': 1.0})
    epoch(hook, runner, **{'a/acc': 0.4, 'loss': 0.8})
    assert {'best_a_acc_epoch_1.pth', 'best_loss_epoch_2.pth'} <= files(runner)
    other = FakeRunner(Path(runner.work_dir) / 'other')
    Path(other.work_dir).mkdir()
    hook = CheckpointHook(interval=1, save_best='auto')
    hook.before_train(other)
    epoch(hook, other, mIoU=0.5)
    assert 'best_mIoU_epoch_1.pth' in files(other)


def test_resumed_hook_knows_the_best(runner, tmp_path):
    hook = CheckpointHook(interval=1, max_keep_ckpts=2, save_best='acc', rule='greater')
    hook.before_train(runner)
    epoch(hook, runner, acc=0.8)
    resumed = CheckpointHook(interval=1, max_keep_ckpts=2, save_best='acc', rule='greater')
    resumed.before_train(runner)
    assert isinstance(resumed.keep_ckpt_ids, deque)
    epoch(resumed, runner, acc=0.7)
    assert 'best_acc_epoch_1.pth' in files(runner)
    epoch(resumed, runner, acc=0.9)
    assert files(runner) == {'epoch_2.pth', 'epoch_3.pth', 'best_acc_epoch_3.pth'}


def test_misspelt_metric(runner):
    hook = CheckpointHook(interval=1, save_best='acuracy', rule='greater')
    hook.before_train(runner)
    with pytest.raises(ConfigError, match="no 'acuracy'. Did you mean 'accuracy'"):
        epoch(hook, runner, accuracy=torch.tensor(0.5).item())
