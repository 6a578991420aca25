"""Whole runs on a tiny network: resuming, several processes, bad input."""

import json
import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.apis import run
from rsmm.datasets.classes import CLASSES
from rsmm.errors import CheckpointError, ConfigError, DataNotFoundError
from rsmm.utils.lock import hold_folder
from tests.datasets.chips import write_jpg_chips

CONFIG = """
_base_ = [
    '{repo}/configs/_base_/models/resnet18_classifier.py',
    '{repo}/configs/_base_/datasets/eurosat_rgb.py',
    '{repo}/configs/_base_/schedules/sgd_cosine.py',
    '{repo}/configs/_base_/tta/classification.py',
    '{repo}/configs/_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=18,
        base_channels=4,
        stem_channels=4,
        drop_path_rate=0.2,
    ),
    head=dict(in_channels=32),
)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1), logger=dict(interval=1))
optim_wrapper = dict(optimizer=dict(lr=0.02))
"""


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


def options(chips: Path, **more) -> dict:
    return dict(data_root=str(chips), batch_size=16, num_workers=0, epochs=4) | more


def losses(work_dir: Path) -> list[float]:
    """Training losses of all logs of a work folder, in the order of their steps."""
    steps = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            if 'loss' in row:
                steps[row['step']] = row['loss']
    return [steps[step] for step in sorted(steps)]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)['state_dict']


def assert_same_weights(one: Path, other: Path, **tolerance) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], msg=name, **tolerance)


def test_killed_run_resumes_to_the_same_losses(config, chips, tmp_path):
    run.train(config, work_dir=tmp_path / 'unbroken', options=options(chips))
    broken = tmp_path / 'broken'
    run.train(config, work_dir=broken, options=options(chips))
    for epoch in (3, 4):
        (broken / f'epoch_{epoch}.pth').unlink()
    (broken / 'last_checkpoint').write_text(str(broken / 'epoch_2.pth'))
    (broken / '.epoch_3.pth.x1y2.tmp').write_text('killed while writing')
    # Other workers, too: they must not change what is drawn.
    run.train(config, work_dir=broken, resume=True, options=options(chips, num_workers=2))
    assert not list(broken.glob('.*.tmp'))
    assert losses(broken) == losses(tmp_path / 'unbroken')
    assert len(losses(broken)) == 4 * (60 // 16)  # epochs x full batches
    exact = dict(rtol=0, atol=0)
    assert_same_weights(broken / 'epoch_4.pth', tmp_path / 'unbroken' / 'epoch_4.pth', **exact)


def test_loader_workers_end_with_the_run(config, chips, tmp_path):
    shared = options(chips, num_workers=2, epochs=1)
    before = set(multiprocessing.active_children())
    runner = run.train(config, work_dir=tmp_path / 'run', options=shared)
    assert runner.train_dataloader.persistent_workers
    assert not set(multiprocessing.active_children()) - before


def test_seed_changes_the_run(config, chips, tmp_path):
    for seed in (0, 1):
        changed = {'randomness.seed': seed, 'epochs': 1}
        run.train(config, work_dir=tmp_path / str(seed), options=options(chips, **changed))
    assert losses(tmp_path / '0') != losses(tmp_path / '1')


@pytest.mark.distributed
def test_two_processes_train_as_one(config, chips, tmp_path, repo_root):
    # Dropping paths draws per process, so it is left out here.
    shared = {'model.backbone.drop_path_rate': 0.0, 'epochs': 2}
    run.train(config, work_dir=tmp_path / 'one', options=options(chips, **shared))
    text = [f'{key}={value}' for key, value in options(chips, **shared, batch_size=8).items()]
    command = ['bash', 'tools/dist_train.sh', str(config), '2', '--work-dir', tmp_path / 'two']
    result = subprocess.run(
        [*command, '--cfg-options', *text],
        cwd=repo_root,
        env={**os.environ, 'PYTHON': sys.executable},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    np.testing.assert_allclose(losses(tmp_path / 'two'), losses(tmp_path / 'one'), rtol=2e-3)
    assert_same_weights(
        tmp_path / 'two' / 'epoch_2.pth', tmp_path / 'one' / 'epoch_2.pth', rtol=1e-2, atol=2e-3
    )
    command = ['bash', 'tools/dist_test.sh', str(config), tmp_path / 'two' / 'epoch_2.pth', '2']
    result = subprocess.run(
        [*command, '--work-dir', tmp_path / 'tested', '--cfg-options', *text],
        cwd=repo_root,
        env={**os.environ, 'PYTHON': sys.executable},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    accuracy = float(re.findall(r'accuracy/top1: ([\d.]+)', result.stdout + result.stderr)[-1])
    alone = run.test(
        config,
        tmp_path / 'two' / 'epoch_2.pth',
        work_dir=tmp_path / 'tested_alone',
        options=options(chips, **shared),
    )
    assert accuracy == pytest.approx(alone['accuracy/top1'], abs=1e-3)


def test_predictions_pictures_and_tta(config, chips, tmp_path):
    run.train(config, work_dir=tmp_path / 'run', options=options(chips, epochs=1))
    checkpoint = tmp_path / 'run' / 'epoch_1.pth'
    out, show = tmp_path / 'predictions.json', tmp_path / 'pictures'
    metrics = run.test(
        config,
        checkpoint,
        work_dir=tmp_path / 'test',
        out=out,
        show_dir=show,
        options=options(chips),
    )
    rows = json.loads(out.read_text())
    assert len(rows) == 20 == len(list(show.glob('*.png')))
    hits = np.mean([row['gt_label'] == row['pred_label'] for row in rows])
    assert metrics['accuracy/top1'] == pytest.approx(100 * hits, abs=1e-3)
    assert {Path(row['img_path']).parent.name for row in rows} <= set(CLASSES['eurosat'])
    out, show = tmp_path / 'averaged.json', tmp_path / 'averaged'
    averaged = run.test(
        config,
        checkpoint,
        work_dir=tmp_path / 'tta',
        out=out,
        show_dir=show,
        tta=True,
        options=options(chips),
    )
    rows = json.loads(out.read_text())
    assert len(rows) == 20 == len(list(show.glob('*.png')))
    hits = np.mean([row['gt_label'] == row['pred_label'] for row in rows])
    assert averaged['accuracy/top1'] == pytest.approx(100 * hits, abs=1e-3)


def test_config_without_the_phase(config, chips, tmp_path):
    with pytest.raises(ConfigError, match='trains nothing'):
        run.train(config, work_dir=tmp_path, options=options(chips, train_cfg=None))
    with pytest.raises(ConfigError, match='tests nothing'):
        run.test(config, 'random', work_dir=tmp_path, options=options(chips, test_cfg=None))


def test_second_run_in_a_work_dir_is_refused(config, chips, tmp_path):
    work_dir = tmp_path / 'run'
    run.train(config, work_dir=work_dir, options=options(chips, epochs=1))
    before = (work_dir / 'epoch_1.pth').read_bytes()
    with pytest.raises(ConfigError, match=r'holds checkpoints of another run .*--resume'):
        run.train(config, work_dir=work_dir, options=options(chips, epochs=1))
    assert (work_dir / 'epoch_1.pth').read_bytes() == before


def test_going_on_needs_a_checkpoint_of_the_folder(config, chips, tmp_path):
    one, two = tmp_path / 'one', tmp_path / 'two'
    for work_dir in (one, two):
        run.train(config, work_dir=work_dir, options=options(chips, epochs=1))
    before = (two / 'epoch_1.pth').read_bytes()
    with pytest.raises(ConfigError, match='holds checkpoints of another run'):
        run.train(config, work_dir=two, resume=one / 'epoch_1.pth', options=options(chips))
    (two / 'epoch_1.pth').rename(two / 'best_accuracy_epoch_1.pth')
    (two / 'last_checkpoint').unlink()
    with pytest.raises(ConfigError, match=r'holds best_.*pth. Name the checkpoint: --resume'):
        run.train(config, work_dir=two, resume=True, options=options(chips))
    (two / 'best_accuracy_epoch_1.pth').rename(two / 'epoch_1.pth')
    assert (two / 'epoch_1.pth').read_bytes() == before
    run.train(config, work_dir=two, resume=two / 'epoch_1.pth', options=options(chips, epochs=2))
    assert (two / 'epoch_2.pth').exists()


def test_second_run_beside_a_running_one_changes_nothing(config, chips, tmp_path):
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    (work_dir / config.name).write_text('# config of the first')
    with hold_folder(work_dir), pytest.raises(ConfigError, match='another run is writing here'):
        run.train(config, work_dir=work_dir, options=options(chips))
    assert (work_dir / config.name).read_text() == '# config of the first'


def test_missing_data_names_the_toy_command(config, tmp_path):
    with pytest.raises(DataNotFoundError, match=r'make_toy_data\.py eurosat --out'):
        run.train(config, work_dir=tmp_path, options=dict(data_root=str(tmp_path / 'none')))


def test_checkpoint_of_another_network(config, chips, tmp_path):
    run.train(config, work_dir=tmp_path / 'run', options=options(chips, epochs=1))
    with pytest.raises(CheckpointError, match=r'epoch_1\.pth'):
        run.test(
            config,
            tmp_path / 'run' / 'epoch_1.pth',
            work_dir=tmp_path / 'test',
            options=options(chips, **{'model.backbone.depth': 34}),
        )


@pytest.mark.parametrize(
    ('setting', 'meant'),
    [
        ('model.backbone.dept', 'depth'),
        ('train_dataloader.dataset.splt', 'split'),
        ('train_dataloader.batchsize', 'batch_size'),
        ('train_cfg.max_epoch', 'max_epochs'),
        ('param_scheduler.0.by_epch', 'by_epoch'),
        ('optim_wrapper.clipgrad', 'clip_grad'),
        ('default_hooks.checkpoint.intervall', 'interval'),
        ('randomness.sed', 'seed'),
    ],
)
def test_misspelt_settings_name_the_closest(config, chips, tmp_path, setting, meant):
    with pytest.raises(ConfigError, match=f"Did you mean '{meant}'"):
        run.train(config, work_dir=tmp_path, options=options(chips, **{setting: 1}))


def test_batch_larger_than_the_data(chips, config, tmp_path):
    with pytest.raises(ConfigError, match='60 samples per process give no batch of 128'):
        run.train(config, work_dir=str(tmp_path / 'w'), options=options(chips, batch_size=128))


def test_validation_on_other_classes_is_refused(config, chips, tmp_path):
    """Its labels would mean something else than those trained on."""
    other = {'val_dataloader.dataset.metainfo': {'classes': CLASSES['eurosat'][::-1]}}
    with pytest.raises(ConfigError, match='EuroSAT: training and validation have other classes'):
        run.train(config, work_dir=tmp_path / 'run', options=options(chips, **other))
