from __future__ import annotations

import re
import shutil
from collections import OrderedDict, deque
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.datasets.seeded import SeededDataset
from rsmm.engine.runner import Runner
from rsmm.engine.runner_checkpoint import _warn_of_changes, plain_state, restore_state
from rsmm.errors import CheckpointError


class Squares(Dataset):
    """Sixteen points; every draw adds noise, so a wrong random state changes the losses."""

    metainfo = {'classes': ('a', 'b'), 'palette': np.arange(6).reshape(2, 3)}

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict:
        x = torch.tensor([float(index), float(np.random.rand())])
        return {'inputs': x, 'target': x.sum(0, keepdim=True) ** 2}


class Net(BaseModel):
    def __init__(self, width: int = 8, name: str = 'backbone') -> None:
        super().__init__()
        setattr(self, name, nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width)))
        self.name = name
        self.head = nn.Linear(width, 1)
        self.register_buffer('queue', torch.zeros(4))

    def forward(self, inputs, target=None, mode='tensor'):
        output = self.head(nn.functional.dropout(getattr(self, self.name)(inputs), 0.3))
        if mode == 'loss':
            self.queue = self.queue.roll(1) + output.detach().mean() / 100
            return {'loss': nn.functional.mse_loss(output, target) / 1000}
        return output


def runner_for(work_dir: Path, epochs: int = 4, model: nn.Module | None = None, **options):
    cfg = dict(
        model=model or Net(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=SeededDataset(Squares()),
            batch_size=4,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='EpochSampler', shuffle=True),
        ),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        param_scheduler=[dict(type='CosineAnnealingLR', T_max=4, by_epoch=True)],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=2),
        ),
        randomness=dict(seed=3),
        default_scope='rsmm',
        experiment_name=f'run_{abs(hash((str(work_dir), str(options), epochs)))}',
        log_level='ERROR',
    )
    cfg.update(options)
    return Runner(**cfg, cfg=Config({}))


class Restarting(Net):
    """Begins anew whenever asked to, as mmdet's Deformable DETR."""

    def init_weights(self) -> None:
        nn.init.zeros_(self.head.weight)


def test_testing_leaves_a_trained_model_alone(tmp_path: Path) -> None:
    runner = runner_for(tmp_path, epochs=1, model=Restarting())
    runner.train()
    with pytest.raises(RuntimeError, match='test_loop'):
        runner.test()  # the config has nothing to test, but that comes later
    assert runner.model.head.weight.any()


def test_plain_state_round_trip(tmp_path):
    history = HistoryBuffer([1.0, 2.5], [1, 2], max_length=50)
    state = {
        'history': OrderedDict(loss=history),
        'array': np.arange(6, dtype=np.uint16).reshape(2, 3),
        'names': np.array(['a', 'bc']),
        'empty': np.zeros((0, 3)),
        'scalars': (np.float32(0.5), np.int64(3), np.bool_(True)),
        'list': [np.arange(2), {'deep': np.arange(3.0)}],
        'tensor': torch.arange(3),
        'plain': {'a': 1, 2: None, 'c': 'text', 'set': {1, 2}},
    }
    path = tmp_path / 'a.pth'
    torch.save(plain_state(state), path)
    restored = restore_state(torch.load(path, weights_only=True))
    buffer = restored['history']['loss']
    assert buffer.max_length == 50
    for have, want in zip(buffer.data, history.data, strict=True):
        np.testing.assert_array_equal(have, want, strict=True)
    buffer.update(4.0)  # still works as a buffer
    np.testing.assert_array_equal(restored['array'], state['array'], strict=True)
    np.testing.assert_array_equal(restored['names'], state['names'], strict=True)
    np.testing.assert_array_equal(restored['empty'], state['empty'], strict=True)
    assert restored['scalars'] == (0.5, 3, True)
    np.testing.assert_array_equal(restored['list'][1]['deep'], np.arange(3.0))
    assert restored['plain'] == state['plain']


def test_plain_state_of_odd_containers():
    class Colour(str, Enum):
        RED = 'red'

    plain = plain_state(
        {'cfg': ConfigDict(a=dict(b=1)), 'ids': deque([1, 2]), 'path': Path('x/y'), 'c': Colour.RED}
    )
    assert plain == {'cfg': {'a': {'b': 1}}, 'ids': [1, 2], 'path': 'x/y', 'c': 'red'}
    assert type(plain['cfg']) is dict
    assert type(plain['c']) is str


def test_plain_state_keeps_module_versions():
    state = nn.BatchNorm2d(2).state_dict()
    assert plain_state({'state_dict': state})['state_dict']._metadata == state._metadata


def test_plain_state_refuses_what_it_cannot_hold():
    with pytest.raises(CheckpointError, match=r'meta\.hooks\[1\] is a function'):
        plain_state({'meta': {'hooks': [1, lambda: 0]}})


def test_what_the_runner_saves_is_plain(tmp_path):
    runner_for(tmp_path, epochs=1).train()
    loaded = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)  # no allow-list
    assert set(loaded) == {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'}
    meta = loaded['meta']
    assert (meta['epoch'], meta['iter'], meta['seed']) == (1, 4, 3)
    assert meta['rsmm_version']
    assert isinstance(meta['cfg'], str)
    np.testing.assert_array_equal(
        restore_state(meta['dataset_meta'])['palette'], Squares.metainfo['palette']
    )


def losses(runner) -> np.ndarray:
    return runner.message_hub.get_scalar('train/loss').data[0]


def test_resumed_run_equals_an_unbroken_one(tmp_path):
    whole = runner_for(tmp_path / 'whole', model=Net())
    start = {key: value.clone() for key, value in whole.model.state_dict().items()}
    whole.train()

    first = runner_for(tmp_path / 'broken', epochs=4)
    first.model.load_state_dict(start)

    class Killed(Exception):
        pass

    def die_in_epoch_3(*_, **__):
        if first.epoch == 2:
            raise Killed

    first.hooks[0].before_train_epoch = die_in_epoch_3
    with pytest.raises(Killed):
        first.train()
    torch.manual_seed(99)
    second = runner_for(
        tmp_path / 'broken', resume=True, experiment_name='again', randomness=dict(seed=None)
    )
    second.train()
    assert second.seed == 3
    np.testing.assert_array_equal(losses(second), losses(whole))
    for key, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[key], value), key
    assert second.optim_wrapper.get_lr() == whole.optim_wrapper.get_lr()


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('trained')
    runner_for(folder, epochs=1).train()
    return folder


@pytest.mark.parametrize(
    ('settings', 'warnings'),
    [
        ({}, []),
        ({'optim_wrapper': {'optimizer': {'lr': 0.5}}}, ['optim_wrapper differ .* load_from']),
        ({'train_cfg': {'max_epochs': 9}}, ["train_cfg was {'max_epochs': 4}"]),
    ],
)
def test_changed_settings_on_resume_are_said(settings, warnings):
    before = {'optim_wrapper': {'optimizer': {'lr': 0.1}}, 'train_cfg': {'max_epochs': 4}}
    said = []
    logger = SimpleNamespace(warning=said.append)
    runner = SimpleNamespace(cfg=Config({**before, **settings}), logger=logger)
    _warn_of_changes(runner, Config(before).pretty_text)
    assert len(said) == len(warnings)
    for text, pattern in zip(said, warnings, strict=True):
        assert re.search(pattern, text)
    _warn_of_changes(runner, 'not a config(')
    assert len(said) == len(warnings)


def test_resuming_another_model(trained, tmp_path):
    runner = runner_for(
        tmp_path, model=Net(16), resume=True, load_from=str(trained / 'epoch_1.pth')
    )
    with pytest.raises(CheckpointError, match=r'epoch_1\.pth: does not fit the model'):
        runner.train()


def test_resuming_from_weights_only(trained, tmp_path):
    state = load_checkpoint_file(trained / 'epoch_1.pth')
    torch.save({'state_dict': state['state_dict']}, tmp_path / 'w.pth')
    runner = runner_for(tmp_path / 'run', resume=True, load_from=str(tmp_path / 'w.pth'))
    with pytest.raises(CheckpointError, match='holds no meta, message_hub, optimizer.*load_from'):
        runner.train()


def test_starting_from_another_model(trained, tmp_path):
    runner = runner_for(tmp_path, model=Net(name='encoder'), load_from=str(trained / 'epoch_1.pth'))
    runner.train()  # the head and the queue fit, the encoder is new
    runner = runner_for(tmp_path, model=Net(16), load_from=str(trained / 'epoch_1.pth'))
    with pytest.raises(CheckpointError, match=r'differs within backbone'):
        runner.train()


def test_truncated_checkpoint_on_resume(trained, tmp_path):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes((trained / 'epoch_1.pth').read_bytes()[:3000])
    with pytest.raises(CheckpointError, match='damaged or truncated'):
        runner_for(tmp_path / 'run', resume=True, load_from=str(path)).train()


def test_moved_work_folder_still_resumes(trained, tmp_path):
    shutil.copytree(trained, tmp_path / 'moved')
    (tmp_path / 'moved' / 'last_checkpoint').write_text('/somewhere/else/epoch_1.pth')
    (tmp_path / 'moved' / '.lock').unlink(missing_ok=True)
    runner = runner_for(tmp_path / 'moved', epochs=2, resume=True)
    runner.train()
    assert len(losses(runner)) == 8
