"""Change flags, queue filling and online probes inside real runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.engine.runner import Runner
from rsmm.evaluation.functional.probes import linear_probe_accuracy, retrieval_at_k
from rsmm.models.losses.functional.embedding import alignment, uniformity
from tests.datasets.archives import DAYS, OLD_DAYS, write_archive


@pytest.fixture(scope='module')
def archive(tmp_path_factory) -> Path:
    return write_archive(tmp_path_factory.mktemp('caco'), places=4, days=OLD_DAYS + DAYS)


def config(archive: Path, work_dir: Path, epochs: int, **changes) -> dict:
    backbone = dict(
        type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8,
    )  # fmt: skip
    return (
        dict(
            model=dict(
                type='CACo',
                backbone=backbone,
                neck=dict(type='MoCoMLP', in_channels=64, out_channels=8, num_spaces=3),
                queue_len=8,
                feat_dim=8,
                data_preprocessor=dict(
                    type='MultiSpectralPreprocessor', bands='s2-rgb', stats='imagenet-s2'
                ),
            ),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                drop_last=True,
                collate_fn=dict(type='default_collate'),
                sampler=dict(type='PairedPlaceSampler'),
                dataset=dict(
                    type='CACoDataset',
                    data_root=str(archive),
                    pipeline=[
                        dict(type='SampleDates'),
                        dict(type='LoadScenes', size=24),
                        dict(type='QuantileStretch'),
                        dict(type='SeasonalViews', size=24),
                        dict(type='PackRaster'),
                    ],
                ),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
            custom_hooks=[dict(type='ChangeFlagHook')],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            default_scope='rsmm',
            randomness=dict(seed=1),
            work_dir=str(work_dir),
            log_level='WARNING',
            experiment_name=f'hooks-{work_dir.name}-{epochs}-{os.getpid()}',
        )
        | changes
    )


def run(cfg: dict) -> Runner:
    from mmengine.config import Config

    init_default_scope('rsmm')
    runner = Runner.from_cfg(Config(cfg))
    runner.train()
    return runner


def test_flags_follow_the_dataset_and_resume_exactly(archive, tmp_path) -> None:
    whole = run(config(archive, tmp_path / 'whole', 2)).model
    assert len(whole.change_flags) == 8
    assert whole.change_flags.seen.all()
    assert set(whole.change_flags.flag.tolist()) <= {0, 1}

    run(config(archive, tmp_path / 'parts', 1))
    resumed = run(config(archive, tmp_path / 'parts', 2, resume=True)).model
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value, msg=key)


def test_queue_is_filled_with_keys_of_images(archive, tmp_path) -> None:
    hooks = [dict(type='ChangeFlagHook'), dict(type='FillQueueHook')]
    cfg = config(archive, tmp_path, 1, custom_hooks=hooks)
    cfg['model']['queue_len'] = 16
    init_default_scope('rsmm')
    from mmengine.config import Config

    runner = Runner.from_cfg(Config(cfg))
    before = runner.model.queue.clone()
    hook = next(h for h in runner.hooks if type(h).__name__ == 'FillQueueHook')
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    hook.before_train(runner)
    after = runner.model.queue
    assert (after != before).all(dim=1).all()
    torch.testing.assert_close(after.norm(dim=1), torch.ones_like(after[:, 0]))
    assert (runner.model.queue_ptr == 0).all()


def test_probe_reports_and_leaves_the_training_alone(archive, tmp_path) -> None:
    from rsmm.toy.writers.eurosat import write_eurosat

    write_eurosat(tmp_path / 'eurosat', chips_per_class=4, products=['rgb'])
    labelled = dict(
        type='EuroSAT',
        data_root=str(tmp_path / 'eurosat'),
        pipeline=[dict(type='LoadRaster'), dict(type='PackRaster')],
    )
    probe = dict(
        type='OnlineProbeHook',
        train=dict(labelled, split='train'),
        test=dict(labelled, split='val'),
        interval=1,
        k=3,
    )
    plain = run(config(archive, tmp_path / 'plain', 2)).model
    hooks = [dict(type='ChangeFlagHook'), probe]
    runner = run(config(archive, tmp_path / 'probed', 2, custom_hooks=hooks))
    history = {
        name: runner.message_hub.get_scalar(f'probe/{name}')._log_history
        for name in ('knn', 'linear')
    }
    for values in history.values():
        assert len(values) == 3  # before training and after each epoch
        assert all(0 <= value <= 100 for value in values)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(runner.model.state_dict()[key], value, msg=key)


# --- the arithmetic of probes -------------------------------------------------------------------


def clusters(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 4
    return torch.eye(4)[labels] * 3 + torch.randn(rows, 4, generator=generator) * 0.3, labels


def test_linear_probe_separates_clusters_and_not_noise() -> None:
    train, test = clusters(80), clusters(40, seed=1)
    assert linear_probe_accuracy(*train, *test) > 0.95
    noise = torch.randn(80, 4), torch.randn(40, 4)
    assert linear_probe_accuracy(noise[0], train[1], noise[1], test[1]) < 0.6


def test_retrieval() -> None:
    features, labels = clusters(80)
    precision, recall = retrieval_at_k(features, labels, k=10)
    assert precision > 0.95
    assert recall == pytest.approx(precision * 10 / 19, abs=1e-9)
    features = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]])
    assert retrieval_at_k(features, torch.tensor([0, 0, 1, 1]), k=1) == (1.0, 1.0)
    assert retrieval_at_k(features, torch.tensor([0, 1, 0, 1]), k=1) == (0.0, 0.0)


def test_alignment_and_uniformity() -> None:
    x = torch.randn(20, 8, dtype=torch.float64)
    assert float(alignment(x, 3 * x)) == pytest.approx(0, abs=1e-12)
    assert float(alignment(x, -x)) == pytest.approx(4)
    assert float(uniformity(torch.ones(5, 8))) == pytest.approx(0)
    square = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    expected = np.log((4 * np.exp(-4) + 2 * np.exp(-8)) / 6)
    assert float(uniformity(square)) == pytest.approx(expected)
