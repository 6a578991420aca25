"""Every SpaceNet 7 config builds and takes a step on toy data; the fixed one mends the faults."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS

CONFIGS = sorted((Path(__file__).parents[2] / 'configs/spacenet7').glob('*_spacenet7.py'))
VEGAS = sorted(CONFIGS[0].parent.glob('vegas_*.py'))


def named(part):
    (path,) = (path for path in CONFIGS if path.name.startswith(f'{part}_xdxd-vgg16_'))
    return load_config(path)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_takes_a_step(path, toy_spacenet7):
    config = load_config(path, {'data_root': str(toy_spacenet7)})
    config.train_dataloader.dataset.subset = 'all'
    take_step(config, config.train_dataloader.dataset, toy_spacenet7)


@pytest.mark.realdata
@pytest.mark.parametrize('path', VEGAS, ids=lambda path: path.stem)
def test_vegas_config_takes_a_step(path, real_data):
    config = load_config(path, {'data_root': str(real_data / 'spacenet2_vegas')})
    repeated = config.train_dataloader.dataset
    assert repeated.dataset.exclude == [config.held_out] == config.test_dataloader.dataset.include
    take_step(config, repeated.dataset, real_data / 'spacenet2_vegas')


def take_step(config, dataset, root):
    torch.manual_seed(0)
    assert dataset.data_root == str(root)
    data = config.train_dataloader
    data.update(batch_size=2, num_workers=0, persistent_workers=False)
    for step in dataset.pipeline:
        if step['type'] == 'CropFootprints':
            step['size'] = 32
    if config.model.backbone.type == 'VGG16Encoder':
        config.model.backbone.base_channels = 8  # width costs time and hides nothing
    config.model.decode_head.base_channels = 8
    init_default_scope('rsmm')
    loader = Runner.build_dataloader(data, seed=0)
    model = MODELS.build({'data_preprocessor': config.data_preprocessor, **config.model}).train()
    batch = model.data_preprocessor(next(iter(loader)), True)
    losses = model(**batch, mode='loss')
    total = sum(losses.values())
    total.backward()
    assert torch.isfinite(total)
    assert all(p.grad is not None for p in model.backbone.parameters() if p.requires_grad)


def test_the_faithful_recipe():
    config = named('baseline_faithful')
    preprocessor = MODELS.build(config.data_preprocessor)
    image = torch.randint(0, 256, (1, 3, 4, 4), dtype=torch.uint8)
    torch.testing.assert_close(preprocessor({'inputs': image})['inputs'], image.float())
    assert config.param_scheduler is None
    assert config.model.backbone.init_cfg is None
    assert config.optim_wrapper.optimizer == {'type': 'Adam', 'lr': 1e-4}
    assert config.model.loss.terms == {'bce': 10.0, 'jaccard': 2.5}
    assert config.train_dataloader.batch_size == 6
    assert config.train_dataloader.dataset.leaky_frames
    assert [step['type'] for step in config.train_dataloader.dataset.pipeline] == [
        'LoadMosaic', 'LoadFootprints', 'RasterizeFootprints',
        'RandomFlipRot90', 'CropFootprints', 'PackFootprints',
    ]  # fmt: skip
    assert not config.train_dataloader.dataset.pipeline[2]['ignore_nodata']


def test_the_fixed_recipe():
    config = named('baseline_fixed')
    assert not config.train_dataloader.dataset.leaky_frames
    assert config.default_hooks.checkpoint.save_best == 'footprint/loss'
    assert config.data_preprocessor.stats == 'spacenet7'
    assert config.train_dataloader.dataset.pipeline[2]['ignore_nodata']
    weights = load_config(CONFIGS[0].parent / Path(config.filename).name, {'pretrained': 'w.pth'})
    assert weights.model.backbone.init_cfg == {'type': 'Pretrained', 'checkpoint': 'w.pth'}


def test_the_learning_rate_falls():
    config = named('baseline_fixed')
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import PARAM_SCHEDULERS

    wrapper = build_optim_wrapper(torch.nn.Linear(1, 1), config.optim_wrapper)
    (settings,) = config.param_scheduler
    scheduler = PARAM_SCHEDULERS.build({**settings, 'optimizer': wrapper})
    rates = []
    for _ in range(config.train_cfg.max_epochs):
        rates.append(wrapper.param_groups[0]['lr'])
        wrapper.optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(1e-4)
    assert rates[-1] == pytest.approx(1e-5)
