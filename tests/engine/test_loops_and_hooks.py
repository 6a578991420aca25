import random

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from rsmm.apis import run
from rsmm.apis.config import load_config
from rsmm.datasets.seeded import derive_seed
from rsmm.engine.hooks.random_state_hook import RandomStateHook
from rsmm.engine.optim_wrapper import CPUAmpOptimWrapper
from rsmm.registry import OPTIM_WRAPPERS
from tests.datasets.chips import write_jpg_chips


@pytest.fixture(scope='module')
def chips(tmp_path_factory):
    root = tmp_path_factory.mktemp('eurosat')
    write_jpg_chips(root, per_class=8)
    return root


def knn_config(repo_root, chips, **options):
    config = repo_root / 'configs' / 'eurosat' / 'resnet18_knn_eurosat-rgb.py'
    return load_config(config, dict(data_root=str(chips), num_workers=0, **options))


def test_knn_of_the_bank_itself_is_perfect(repo_root, chips, tmp_path):
    config = knn_config(repo_root, chips, test_split='all', bank_split='all')
    config.test_cfg.k = 1
    assert run.test(config, 'random', work_dir=tmp_path)['accuracy/top1'] == 100


def test_knn_probe_does_not_depend_on_the_batch(repo_root, chips, tmp_path):
    """The backbone is in evaluation mode, so batch statistics play no part."""
    accuracies = [
        run.test(
            knn_config(repo_root, chips, batch_size=size),
            'random',
            work_dir=tmp_path / str(size),
            out=tmp_path / f'{size}.json',
        )['accuracy/top1']
        for size in (3, 16)
    ]
    assert accuracies[0] == accuracies[1]


def test_retrieval_runs_from_its_config(repo_root, chips, tmp_path):
    """The config's figures are those of the pure function on the backbone's own features."""
    config = load_config(
        repo_root / 'configs' / 'caco' / 'resnet18_retrieval_eurosat-rgb.py',
        dict(data_root=str(chips), num_workers=0, test_split='all'),
    )
    config.test_evaluator.topk = (3, 10)
    config.test_dataloader.batch_size = 16
    metrics = run.test(config, 'random', work_dir=tmp_path)
    assert set(metrics) == {f'retrieval/{name}@{k}' for name in 'PR' for k in (3, 10)}
    # 8 chips per class: 7 others can be found.
    for k in (3, 10):
        assert 0 < metrics[f'retrieval/P@{k}'] <= 100
        np.testing.assert_allclose(
            metrics[f'retrieval/R@{k}'], metrics[f'retrieval/P@{k}'] * k / 7, rtol=1e-6
        )


def test_random_state_follows_seed_step_and_rank():
    class Runner:
        seed, iter, rank = 1, 2, 0

    def draw(**changes):
        runner = type('R', (Runner,), changes)
        RandomStateHook().before_train_iter(runner, 0)
        return torch.rand(1).item(), np.random.rand(), random.random()

    assert draw() == draw()
    for change in (dict(seed=5), dict(iter=5), dict(rank=5)):
        assert all(a != b for a, b in zip(draw(), draw(**change), strict=True))


def test_derived_seeds_differ():
    seeds = {derive_seed(a, b, c) for a in range(10) for b in range(10) for c in range(10)}
    assert len(seeds) == 1000


@pytest.mark.skipif(torch.cuda.is_available(), reason='tests the processor')
def test_mixed_precision_on_the_processor():
    layer = torch.nn.Linear(4, 4)
    with DefaultScope.overwrite_default_scope('rsmm'):
        wrapper = OPTIM_WRAPPERS.build(
            dict(type='AmpOptimWrapper', loss_scale='dynamic'),
            default_args=dict(optimizer=torch.optim.SGD(layer.parameters(), 0.1)),
        )
    assert isinstance(wrapper, CPUAmpOptimWrapper)
    before = layer.weight.detach().clone()
    with wrapper.optim_context(layer):
        output = layer(torch.ones(2, 4))
    assert output.dtype == (torch.bfloat16 if wrapper.enabled else torch.float32)
    wrapper.update_params(output.float().sum())
    assert not torch.equal(before, layer.weight)


def test_frozen_probe_leaves_the_backbone_untouched(repo_root, chips, tmp_path):
    config = repo_root / 'configs' / 'eurosat' / 'resnet18_linear-20e_eurosat-rgb.py'
    options = dict(data_root=str(chips), num_workers=0, batch_size=16, epochs=1)
    runner = run.train(config, work_dir=tmp_path, options=options)
    state = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    means = [value for name, value in state.items() if name.endswith('running_mean')]
    assert means
    assert all(np.all(value.numpy() == 0) for value in means)  # never moved from initialisation
    assert {name for name, p in runner.model.named_parameters() if p.requires_grad} == {
        'head.fc.weight',
        'head.fc.bias',
    }
