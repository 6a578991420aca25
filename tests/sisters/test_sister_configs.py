"""Experiments of the sister packages, by their own config files, on rsmm's data sets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from rsmm.apis.run import train

ROOT = Path(__file__).parents[2]
BANDS = {3: ['B04', 'B03', 'B02'], 4: ['B04', 'B03', 'B02', 'B08']}

CLASSIFIERS = [
    'resnet/resnet18_8xb32_in1k.py',
    'mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
    'shufflenet_v2/shufflenet-v2-1x_16xb64_in1k.py',
    'efficientnet/efficientnet-b0_8xb32_in1k.py',
    'regnet/regnetx-1.6gf_8xb128_in1k.py',
    'densenet/densenet121_4xb256_in1k.py',
    'poolformer/poolformer-s12_32xb128_in1k.py',
]
SEGMENTORS = [
    'fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'upernet/upernet_r18_4xb2-40k_cityscapes-512x1024.py',
    'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
    'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
    'stdc/stdc1_4xb12-80k_cityscapes-512x1024.py',
]
DETECTORS = [
    'retinanet/retinanet_r18_fpn_1x_coco.py',
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'fcos/fcos_r50-caffe_fpn_gn-head-center_1x_coco.py',
    'atss/atss_r50_fpn_1x_coco.py',
    'gfl/gfl_r50_fpn_1x_coco.py',
    'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'detr/detr_r50_8xb2-150e_coco.py',
    'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
]
ALL = [
    *(('mmpretrain', name) for name in CLASSIFIERS),
    *(('mmseg', name) for name in SEGMENTORS),
    *(('mmdet', name) for name in DETECTORS),
]


def write_tiff(path: Path, values: np.ndarray, bands: list[str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path, 'w', driver='GTiff', count=len(values), height=values.shape[1],
        width=values.shape[2], dtype=values.dtype, crs='EPSG:32633',
        transform=from_origin(5e5, 5e6, 1, 1),
    ) as file:  # fmt: skip
        file.write(values)
        for number, name in enumerate(bands or (), 1):
            file.set_band_description(number, name)


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    """Images of 3 and 4 bands: chips in a table, scenes with label maps, scenes with boxes."""
    root, rng = tmp_path_factory.mktemp('rasters'), np.random.default_rng(0)
    for count, bands in BANDS.items():
        folder = root / str(count)
        images, objects = [], []
        for k in range(4):
            image = rng.integers(0, 3000, (count, 64, 64)).astype('uint16')
            label = rng.integers(1, 6, (8, 8)).repeat(8, 0).repeat(8, 1).astype('uint8')
            write_tiff(folder / 'image' / f's{k}.tif', image, bands)
            write_tiff(folder / 'label_gray' / f's{k}.tif', label)
            write_tiff(folder / 'images' / f's{k}.tif', image, bands)
            images.append(dict(id=k, file_name=f's{k}.tif', height=64, width=64))
            objects += [
                dict(id=2 * k + j, image_id=k, category_id=j, bbox=[4 + 20 * j, 6, 16, 18],
                     area=288, iscrowd=0)
                for j in range(2)
            ]  # fmt: skip
        names = [dict(id=j, name=name) for j, name in enumerate(('house', 'pond'))]
        table = dict(images=images, annotations=objects, categories=names)
        (folder / 'annotations.json').write_text(json.dumps(table))
        rows = [f'images/s{k}.tif,{"ab"[k % 2]}' for k in range(4)]
        (folder / 'chips.csv').write_text('\n'.join(['path,label', *rows]) + '\n')
    return root


def loader(dataset: dict) -> dict:
    return dict(
        _delete_=True,
        batch_size=2,
        num_workers=0,
        sampler=dict(type='EpochSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
        dataset=dataset,
    )


def preprocessor(name: str, count: int) -> dict:
    return dict(_delete_=True, type=name, mean=[1500.0] * count, std=[800.0] * count)


def classifier(root: Path, count: int) -> dict:
    steps = [dict(type='LoadRaster', bands=BANDS[count]), dict(type='PackRaster')]
    dataset = dict(
        type='ImageTable', data_root=str(root / str(count)), table='chips.csv', pipeline=steps
    )
    own = preprocessor('MultiSpectralPreprocessor', count)
    return {
        'data_preprocessor': own,
        'model': dict(head=dict(num_classes=2)),
        'train_dataloader': loader(dataset),
    }


def segmentor(root: Path, count: int) -> dict:
    steps = [
        dict(type='LoadRaster', bands=BANDS[count]),
        dict(type='LoadLabelMap'),
        dict(type='PackMap'),
    ]
    dataset = dict(
        type='GID', data_root=str(root / str(count)), num_classes=5, split='all', tile=64,
        bands=BANDS[count], pipeline=steps,
    )  # fmt: skip
    own = preprocessor('MultiSpectralPreprocessor', count)
    if count == 3:
        own = preprocessor('SegDataPreProcessor', count) | dict(size=(64, 64), seg_pad_val=255)
    return {
        'data_preprocessor': own,
        'model': dict(data_preprocessor=own),
        'train_dataloader': loader(dataset),
    }


def detector(root: Path, count: int) -> dict:
    steps = [
        dict(type='LoadRaster', bands=BANDS[count]),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape')),
    ]
    dataset = dict(type='BoxFolder', data_root=str(root / str(count)), split='all', pipeline=steps)
    name = 'DetDataPreprocessor' if count == 3 else 'MultiSpectralDetPreprocessor'
    own = preprocessor(name, count) | dict(pad_size_divisor=32)
    return {'model': dict(data_preprocessor=own), 'train_dataloader': loader(dataset)}


SETTINGS = {'mmpretrain': classifier, 'mmseg': segmentor, 'mmdet': detector}
#: One step, nothing fetched, no validation.
RUN = {
    'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1),
    **dict.fromkeys(
        f'{phase}_{part}'
        for phase in ('val', 'test')
        for part in ('cfg', 'dataloader', 'evaluator')
    ),
    'param_scheduler': None,
    'custom_hooks': [],
    'randomness': dict(seed=0),
}


def write_experiment(path: Path, package: str, name: str, root: Path, count: int) -> Path:
    """A user's config: the sister's experiment, rsmm's data, weights from nowhere."""
    settings = {**SETTINGS[package](root, count), **RUN}
    text = [f"_base_ = '{package}::{name}'", *(f'{k} = {v!r}' for k, v in settings.items())]
    text += [
        "for _part in ('backbone', 'neck', 'decode_head', 'bbox_head', 'head'):",
        '    _given = _base_.model.get(_part)',
        "    if isinstance(_given, dict) and 'checkpoint' in str(_given.get('init_cfg')):",
        "        model.setdefault(_part, {})['init_cfg'] = None",
        "    if _part == 'backbone' and _given.get('pretrained'):",
        "        model.setdefault(_part, {})['pretrained'] = None",
        "if _base_.model.get('pretrained'):",
        "    model['pretrained'] = None",
    ]
    if count != 3:
        text.append("model.setdefault('backbone', {})['in_channels'] = 'auto'")
    path.write_text('\n'.join(text) + '\n')
    return path


@pytest.mark.parametrize(
    ('package', 'name'),
    [('mmpretrain', CLASSIFIERS[0]), ('mmseg', SEGMENTORS[0]), ('mmdet', DETECTORS[0])],
)
@pytest.mark.parametrize('count', [3, 4])
def test_a_sisters_experiment_trains_on_any_bands(package, name, count, data, tmp_path) -> None:
    path = write_experiment(tmp_path / 'experiment.py', package, name, data, count)
    runner = train(path, tmp_path / 'work')
    assert runner.iter == 1
    assert runner.cfg.get('default_scope') == package
    first = next(m for m in runner.model.modules() if type(m).__name__ == 'Conv2d')
    assert first.in_channels == count


@pytest.mark.slow
@pytest.mark.parametrize(('package', 'name'), ALL, ids=[f'{p}-{n}' for p, n in ALL])
def test_the_tool_trains_it(package, name, data, tmp_path) -> None:
    path = write_experiment(tmp_path / 'experiment.py', package, name, data, 3)
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'train.py', path, '--work-dir', tmp_path / 'work'],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert list((tmp_path / 'work').glob('*.pth'))
