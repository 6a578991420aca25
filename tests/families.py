"""One small experiment of each model family on toy data, for checks that hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from rsmm.apis.config import load_config, model_settings
from rsmm.engine.hooks.semisup import class_frequency
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS
from rsmm.toy import get_writer

CONFIGS = Path(__file__).parents[1] / 'configs'


@dataclass(frozen=True)
class Family:
    """A config, the toy data that it reads and what makes both small.

    Attributes:
        config: Path below ``configs/`` without suffix.
        toy: Name of the writer of ``make_toy_data.py``.
        size: Options of the writer.
        below: What ``data_root`` names below the toy folder.
        options: As ``--cfg-options``.
        compiles: Worth the minute that ``compile`` takes.
    """

    config: str
    toy: str
    size: dict
    below: str = ''
    options: dict = field(default_factory=dict)
    compiles: bool = False


CHIPS = {'chips_per_class': 8, 'products': ('rgb',)}
PLACES = {'places': 8, 'size': 48}
AERIAL = {'images': 8, 'size': 128}
SEMISUP = {'labelled': 2, 'unlabelled': 14}

FAMILIES = {
    'classification': Family(
        'eurosat/resnet18_scratch-12e_eurosat-rgb', 'eurosat', CHIPS, compiles=True
    ),
    'moco': Family('moco/moco-v2_resnet18_10e_toy', 'caco', PLACES, options={'scene_size': 48}),
    'caco': Family('caco/caco_resnet18_50e_toy', 'caco', PLACES),
    'saco-plus': Family('saco/saco-plus_resnet18_5e_toy', 'caco', PLACES),
    'swav': Family('swav/swav_resnet18-narrow_10e_toy', 'aerial', AERIAL, below='images'),
    'mae': Family('mae/mae_vit-tiny_20e_toy', 'aerial', AERIAL, below='images', compiles=True),
    'detreg': Family('detreg/detreg_r18-narrow_6e_toy', 'aerial', AERIAL, below='images'),
    'deformable-detr': Family(
        'deformable_detr/deformable-detr_r18-narrow_40e_toy', 'aerial', AERIAL
    ),
    'faster-rcnn': Family('faster_rcnn/faster-rcnn_r18-narrow_12e_toy', 'aerial', AERIAL),
    'segmentation': Family('gid/toy_unet_resnet18_20e_gid5', 'gid', {'scenes': 10, 'size': 256}),
    'change': Family('oscd/toy_seco_resnet18_30e_oscd-rgb', 'oscd', {}),
    'series': Family(
        'pastis/toy_utae_70e_pastis', 'pastis', {'patches': 10, 'dates': 6}, compiles=True
    ),
    'footprints': Family(
        'spacenet7/toy_xdxd-vgg16-small_60e_spacenet7',
        'spacenet7',
        {'aois': 3, 'months': 12, 'size': 128},
    ),
    'fixmatch': Family(
        'semisup/fixmatch_lite0-trunk_eurosat-40lb_2core', 'eurosat', CHIPS, options=SEMISUP
    ),
    'st-fixmatch': Family(
        'semisup/st-fixmatch_lite0-trunk_eurosat-40lb_2core', 'eurosat', CHIPS, options=SEMISUP
    ),
    'events': Family('ripples/ripples_resnet18_eurosat_20e', 'eurosat', CHIPS),
}


def write_toy(family: Family, folder: Path) -> Path:
    """Write a family's toy data below ``folder``; what is there stays.

    Returns:
        What ``data_root`` is to name.
    """
    root = folder / family.toy
    if not root.exists():
        get_writer(family.toy)(root, **family.size)
    return root / family.below


def experiment(family: str | Family, folder: Path, batch_size: int | None = 4, workers: int = 0):
    """Return the config, the training loader and the model of a family, weights drawn with seed 0.

    Args:
        family: Or its key in :data:`FAMILIES`.
        folder: Where toy data are written.
        batch_size: Images a batch; None keeps what the config says.
        workers: Loader processes.
    """
    family = FAMILIES[family] if isinstance(family, str) else family
    options = {'data_root': str(write_toy(family, folder)), **family.options}
    config = load_config(CONFIGS / f'{family.config}.py', options)
    init_default_scope('rsmm')
    loader_config = config.train_dataloader
    loader_config.update(num_workers=workers, persistent_workers=workers > 0)
    if batch_size and 'labelled' not in family.options:
        loader_config['batch_size'] = batch_size
    _make_small(config, folder)
    torch.manual_seed(0)
    loader = Runner.build_dataloader(loader_config, seed=0)
    model = MODELS.build(model_settings(config))
    MMLogger.get_current_instance().setLevel('WARNING')  # a line for every weight otherwise
    model.init_weights()
    _prepare(model, loader)
    return config, loader, model.train()


def _make_small(config, folder: Path) -> None:
    """Queues that a small batch divides; proposals of the toy scenes in their own folder."""
    if 'queue_len' in config.model:
        config.model.queue_len = 16 * config.train_dataloader.batch_size
    if config.model.get('backbone', {}).get('init_cfg'):
        config.model.backbone.init_cfg = None
    for step in config.train_dataloader.dataset.get('pipeline') or []:
        if 'cache_dir' in step:
            step['cache_dir'] = str(folder / 'proposals')


def _prepare(model: nn.Module, loader) -> None:
    """Tell rules and flags the size of the data, as the hooks of a run do."""
    if hasattr(model, 'change_flags'):
        model.change_flags.resize(len(loader.dataset))
    if hasattr(model, 'rule'):
        labelled, unlabelled = loader.dataset.sizes
        model.rule.prepare(
            num_labelled=labelled,
            num_unlabelled=unlabelled,
            class_frequency=class_frequency(loader.dataset, labelled, model.rule.multi_label),
            max_iters=100,
        )


def losses_of(model: nn.Module, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the sum of a training step's losses and what it is made of."""
    return model.parse_losses(model(**model.data_preprocessor(batch, True), mode='loss'))
