"""Small experiments: the scope of each package, each kind of base, each form of config."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from rsmm.apis.config import load_config
from rsmm.toy.writers.aerial import write_aerial
from rsmm.toy.writers.eurosat import write_eurosat
from rsmm.toy.writers.gid import write_gid

SCOPES = ('rsmm', 'mmpretrain', 'mmseg', 'mmdet')
BASES = ('rsmm', 'sister', 'own')
FORMS = ('text', 'read_base', 'yaml', 'json')

RUN = {
    'train_cfg': dict(by_epoch=False, max_iters=1, val_interval=1),
    'val_cfg': {},
    'test_cfg': {},
    'optim_wrapper': dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
    'default_hooks': dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
    'randomness': dict(seed=1),
}
LOADER = dict(num_workers=0, persistent_workers=False)


def write_data(root: Path) -> Path:
    """Write a few images of each task."""
    write_eurosat(root / 'eurosat', chips_per_class=2, products=('rgb',))
    write_gid(root / 'gid', scenes=3, size=64)
    write_aerial(root / 'aerial', images=8, size=96)
    return root


def chips(root: Path) -> tuple[list[str], dict]:
    """Classification: the data base, and what a run on toy chips sets."""
    loader = dict(**LOADER, batch_size=4, dataset=dict(split='all', indices=4))
    settings = {'data_root': str(root / 'eurosat'), 'train_dataloader': loader}
    for phase in ('val', 'test'):
        settings[f'{phase}_dataloader'] = loader
    return ['rsmm::_base_/datasets/eurosat_rgb.py'], settings


def maps(root: Path) -> dict:
    """Segmentation: loaders in full, as mmseg's models and rsmm's data bases set one name twice."""
    steps = ('LoadRaster', 'LoadLabelMap', 'PackMap')
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='EpochSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='GID',
            data_root=str(root / 'gid'),
            num_classes=5,
            tile=64,
            split='all',
            pipeline=[dict(type=step) for step in steps],
        ),
    )
    settings = {f'{phase}_dataloader': loader for phase in ('train', 'val', 'test')}
    settings |= {
        f'{phase}_evaluator': dict(type='SegMetric', void=[0]) for phase in ('val', 'test')
    }
    return settings


def boxes(root: Path) -> tuple[list[str], dict]:
    """Detection: the data base, and what a run on toy scenes sets."""
    loader = dict(**LOADER, dataset=dict(split='all'))
    settings = {'data_root': str(root / 'aerial'), 'scale': 96, 'train_dataloader': loader}
    for phase in ('val', 'test'):
        settings[f'{phase}_dataloader'] = loader
    return ['rsmm::_base_/datasets/boxes.py'], settings


PREPROCESSOR = dict(type='rsmm.MultiSpectralPreprocessor', bands='rgb', stats='imagenet')
DOTA_CLASSES = 15


def recipe(scope: str, base: str, root: Path) -> tuple[list[str], dict]:
    """Bases and settings of a config in ``scope`` on rsmm's or a sister's model."""
    if scope in ('rsmm', 'mmpretrain'):
        bases, settings = chips(root)
        if base == 'rsmm':
            bases = ['rsmm::_base_/models/resnet18_classifier.py', *bases]
            narrow = dict(backbone=dict(stem_channels=8, base_channels=8))
        else:
            bases = ['mmpretrain::_base_/models/resnet18.py', *bases]
            narrow = dict(
                backbone=dict(stem_channels=8, base_channels=8),
                head=dict(num_classes=10, in_channels=64, topk=(1,)),
            )
        settings['model'] = narrow
    elif scope == 'mmseg':
        settings = maps(root)
        if base == 'rsmm':
            bases = ['rsmm::_base_/models/unet_resnet18.py']
            settings |= {'data_preprocessor': PREPROCESSOR, 'num_classes': 6}
        else:
            bases = ['mmseg::_base_/models/cgnet.py']
            loss = dict(type='CrossEntropyLoss', _delete_=True)
            settings['data_preprocessor'] = dict(PREPROCESSOR, _delete_=True)
            settings['model'] = dict(
                data_preprocessor=dict(PREPROCESSOR, _delete_=True),
                decode_head=dict(num_classes=6, loss_decode=loss),
            )
    else:
        bases, settings = boxes(root)
        if base == 'rsmm':
            bases = ['rsmm::_base_/models/faster_rcnn_fpn.py', *bases]
            settings |= {'num_classes': DOTA_CLASSES}
            stem = dict(type='mmdet.ResNet', depth=18, base_channels=8, stem_channels=8)
            neck = dict(type='mmdet.FPN', in_channels=[8, 16, 32, 64], out_channels=256, num_outs=5)
            settings['model'] = dict(
                backbone=stem,
                neck=neck,
                roi_head=dict(bbox_head=dict(fc_out_channels=32)),
                test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=5)),
            )
        else:
            bases = ['mmdet::_base_/models/retinanet_r50_fpn.py', *bases]
            settings['model'] = dict(
                backbone=dict(depth=18, base_channels=8, stem_channels=8, init_cfg=None),
                neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
                bbox_head=dict(in_channels=16, feat_channels=16, num_classes=15),
                test_cfg=dict(score_thr=0.0, max_per_img=5),
            )
    return bases, {'default_scope': scope, **settings, **RUN}


def write_config(folder: Path, scope: str, base: str, form: str, root: Path) -> Path:
    """Write an experiment and return its config."""
    bases, settings = recipe(scope, 'rsmm' if (scope, base) == ('rsmm', 'own') else base, root)
    if base == 'own':
        own = folder / 'own' / 'base.py'
        own.parent.mkdir(parents=True)
        whole = load_config(_text(folder / 'whole.py', bases, settings)).to_dict()
        own.write_text(''.join(f'{k} = {v!r}\n' for k, v in _bare(whole).items()))
        bases, settings = ['./own/base.py'], {'randomness': dict(seed=2), 'default_scope': scope}
    path = folder / f'experiment.{dict(yaml="yaml", json="json").get(form, "py")}'
    if form == 'text':
        return _text(path, bases, settings)
    if form == 'read_base':
        return _read_base(path, bases, settings, scope)
    plain = json.loads(json.dumps({'_base_': bases, **settings}))
    path.write_text(json.dumps(plain) if form == 'json' else yaml.safe_dump(plain))
    return path


def _text(path: Path, bases: list[str], settings: dict) -> Path:
    lines = [f'_base_ = {bases!r}', *(f'{key} = {value!r}' for key, value in settings.items())]
    path.write_text('\n'.join(lines) + '\n')
    return path


def _read_base(path: Path, bases: list[str], settings: dict, scope: str) -> Path:
    """The same in the form that imports its bases; such a base does not remember its package."""
    modules = [base.removesuffix('.py').replace('/', '.') for base in bases]
    modules = [m[1:] if m.startswith('..') else m.replace('::', '.configs.') for m in modules]
    known = set(load_config(_text(path.with_name('known.py'), bases, {})))
    lines = ['from mmengine.config import read_base', 'with read_base():']
    lines += [f'    from {module} import *' for module in modules]
    for key, value in settings.items():
        merged = key in known and isinstance(value, dict) and '_delete_' not in value
        value = (
            {k: v for k, v in value.items() if k != '_delete_'}
            if (isinstance(value, dict))
            else value
        )
        lines.append(f'{key}.merge({value!r})' if merged else f'{key} = {value!r}')
    if scope == 'rsmm' and any('mmpretrain' in module for module in modules):
        lines.append("model._scope_ = 'mmpretrain'")
    path.write_text('\n'.join(lines) + '\n')
    return path


def _bare(value):
    """A config without the notes of where its parts come from."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items() if key != '_scope_'}
    return type(value)(map(_bare, value)) if isinstance(value, list | tuple) else value
