"""Every contrastive config builds and takes a step on an archive in the published layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config, model_settings
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS, TRANSFORMS
from tests.datasets.archives import DAYS, OLD_DAYS, write_archive

CONFIGS = Path(__file__).parents[2] / 'configs'
DATED = [
    pytest.param(path, id=path.stem, marks=pytest.mark.slow if 'resnet50' in path.name else ())
    for folder in ('moco', 'seco', 'caco', 'saco')
    for path in sorted((CONFIGS / folder).glob('*.py'))
    if 'eurosat' not in path.name
]


@pytest.fixture(scope='module')
def archive(tmp_path_factory) -> Path:
    return write_archive(tmp_path_factory.mktemp('caco'), places=4, days=OLD_DAYS + DAYS)


def small(path: Path, root: Path, **options):
    """The config on small data, with a queue that fits; everything else as it stands."""
    config = load_config(path, options)
    data = config.train_dataloader
    data.update(batch_size=4, num_workers=0)
    data.dataset.update(data_root=str(root), split=None)
    for step in data.dataset.pipeline:
        if step['type'] == 'LoadScenes':
            step['size'] = 24
        if step['type'] == 'SeasonalViews' and 'size' in step:
            step['size'] = 24
    config.model.queue_len = 16
    config.model.backbone.init_cfg = None
    return config


@pytest.mark.parametrize('path', DATED)
def test_config_takes_a_step(path: Path, archive: Path) -> None:
    config = small(path, archive)
    init_default_scope('rsmm')
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    model = MODELS.build(model_settings(config)).train()
    if hasattr(model, 'change_flags'):
        assert [hook['type'] for hook in config.custom_hooks] == ['ChangeFlagHook']
        model.change_flags.resize(len(loader.dataset))
    data = model.data_preprocessor(next(iter(loader)), True)
    losses = model(**data, mode='loss')
    losses['loss'].backward()
    assert torch.isfinite(losses['loss'])
    width = 2048 if 'resnet50' in path.name else 8 * config.model.backbone.get('base_channels', 64)
    assert next(iter(model.neck.state_dict().values())).shape[1] == width


METHODS = {'moco': 'MoCo', 'moco_tp': 'MoCo', 'seco': 'SeCo', 'teco': 'TeCo', 'caco': 'CACo'}


@pytest.mark.parametrize('mode', METHODS)
def test_two_options_switch_the_method(mode: str, archive: Path) -> None:
    path = CONFIGS / 'seco/seco_resnet18_200e_seco-100k.py'
    options = {'model.type': METHODS[mode], 'mode': mode, 'archive': 'CACoDataset'}
    config = small(path, archive, **options)
    init_default_scope('rsmm')
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    model = MODELS.build(model_settings(config)).train()
    if mode == 'caco':
        model.change_flags.resize(len(loader.dataset))
    views = next(iter(loader))['inputs']
    assert len(views) == 1 + model.num_spaces
    data = model.data_preprocessor(next(iter(loader)), True)
    assert torch.isfinite(model(**data, mode='loss')['loss'])


def test_published_settings() -> None:
    caco = load_config(CONFIGS / 'caco/caco_resnet50_1000e_caco-100k.py')
    assert caco.param_scheduler.milestones == [600, 800]
    assert caco.optim_wrapper.optimizer.lr == 0.03
    assert caco.model.queue_len == 16384
    assert caco.train_dataloader.batch_size == 256
    saco = load_config(CONFIGS / 'saco/saco-plus_resnet18_100e_caco-100k.py')
    assert saco.param_scheduler.milestones == [60, 80]
    assert (saco.model.queue_len, saco.model.temperature) == (65536, 0.05)
    assert saco.model.texture is True
    script = load_config(CONFIGS / 'saco/saco-plus_reference_resnet18_10e_caco-10k.py')
    assert (script.model.queue_len, script.model.group_loss) == (384, 'reference')


def test_learning_rate_of_seco_golden() -> None:
    from mmengine.optim import MultiStepLR

    config = load_config(CONFIGS / 'seco/seco_resnet18_200e_seco-100k.py')
    settings = dict(config.optim_wrapper.optimizer)
    assert settings == dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=settings['lr'])
    steps = dict(config.param_scheduler)
    assert steps.pop('type') == 'MultiStepLR'
    schedule = MultiStepLR(optimizer, **steps)
    rates = []
    for _ in range(config.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.03] * 120 + [0.003] * 40 + [0.0003] * 40)


PROBES = {
    'seco/resnet18_linear-100e_eurosat-rgb.py': (3, 1),
    'saco/saco_resnet18_linear-20e_eurosat-ms.py': (13, 1),
    'saco/saco-plus_resnet18_linear-100e_eurosat-ms.py': (13, 1),
    'bigearthnet/resnet18_linear-100e_bigearthnet-rgb.py': (3, 3),
    'bigearthnet/resnet18_finetune-100e_bigearthnet-rgb.py': (3, 3),
}


@pytest.mark.parametrize('name', PROBES)
def test_probe_configs_learn_and_predict(name: str) -> None:
    from mmpretrain.structures import DataSample

    bands, labels = PROBES[name]
    config = load_config(CONFIGS / name)
    init_default_scope('rsmm')
    model = MODELS.build(model_settings(config)).train()
    for step in config.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)
    images = [torch.randint(0, 255, (bands, 64, 64)).float() / 255 for _ in range(2)]
    samples = [DataSample().set_gt_label(list(range(labels))) for _ in images]
    data = model.data_preprocessor({'inputs': images, 'data_samples': samples}, True)
    losses = model(**data, mode='loss')
    losses['loss'].backward()
    trained = [key for key, p in model.named_parameters() if p.grad is not None]
    assert all(key.startswith(('fc', 'head')) for key in trained) is ('finetune' not in name)
    assert model.eval()(**data, mode='predict')[0].pred_score.shape in ((10,), (19,))


def test_thirteen_band_moco_takes_a_step() -> None:
    config = load_config(next(iter((CONFIGS / 'moco').glob('*_eurosat-ms.py'))))
    init_default_scope('rsmm')
    model = MODELS.build(model_settings(config) | {'queue_len': 8}).train()
    views = [torch.randint(0, 4000, (4, 13, 32, 32)) for _ in range(2)]
    data = model.data_preprocessor({'inputs': views}, True)
    assert torch.isfinite(model.loss(data['inputs'])['loss'])
