"""The models of the configs through the inferencer: what they map is what their test gives."""

from __future__ import annotations

import copy
import datetime as dt
import importlib.util
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import torch
from mmengine.runner import Runner

from rsmm.apis import Inferencer
from rsmm.apis.config import default_scope, load_config
from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.pastis import REFERENCE
from rsmm.geo.io import write_raster
from rsmm.inference.detection import detect_scene, model_predictor
from rsmm.toy import get_writer
from tests.inference.small_models import PLACE

ROOT = Path(__file__).parents[2]


def tool(*arguments) -> None:
    spec = importlib.util.spec_from_file_location('predict', ROOT / 'tools/predict.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(argument) for argument in arguments])


def test_a_season_is_mapped_as_it_is_tested(tmp_path):
    get_writer('pastis')(tmp_path / 'pastis', patches=5)
    path = ROOT / 'configs/pastis/toy_utae_70e_pastis.py'
    options = {'data_root': str(tmp_path / 'pastis'), 'num_workers': 0}
    torch.manual_seed(0)
    infer = Inferencer(path, 'random', options=options)
    assert infer.task.kind == 'season'
    assert infer.task.ignored == (19,)
    config = load_config(path, options)
    with default_scope(config):
        (batch, *_) = Runner.build_dataloader(copy.deepcopy(config.test_dataloader), seed=0)
    data = infer.model.data_preprocessor(copy.deepcopy(batch), training=False)
    with torch.no_grad():
        logits = infer.model.logits(data['inputs'])
    logits[:, 19] = -torch.inf
    truth = logits[0].argmax(dim=0).numpy()
    sample = batch['data_samples'][0]
    series = np.load(sample.img_path)
    stack = tmp_path / 'field'
    for image, day in zip(series, sample.days, strict=True):
        date = REFERENCE + dt.timedelta(days=int(day))
        write_raster(stack / f'{date}.tif', image.transpose(1, 2, 0), **PLACE)
    (one,) = infer(str(stack), out=tmp_path / 'out', tile=truth.shape[0], check='off')[
        'predictions'
    ]
    with rasterio.open(one['files'][0]) as source:
        found = source.read(1)
    assert (found == truth).mean() > 0.999
    assert 19 not in found


DETECTOR = ROOT / 'configs/faster_rcnn/faster-rcnn_r18-narrow_30e_nwpu.py'


def test_boxes_lie_where_the_detector_sees_them(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (150, 200, 3)).astype(np.uint8)
    rotated = {'crs': 'EPSG:32631', 'transform': (8.0, 6.0, 5e5, 6.0, -8.0, 4.6e6)}
    write_raster(tmp_path / 'a.tif', image, **rotated)
    torch.manual_seed(0)
    infer = Inferencer(DETECTOR, 'random')
    assert infer.task.kind == 'boxes'
    settings = dict(score=0.0, iou=0.5)
    truth = detect_scene(
        image, image.shape[:2], model_predictor(infer.model, infer.detector.scale),
        tile=200, score_threshold=0.0, iou_threshold=0.5,
    )  # fmt: skip
    (one,) = infer(str(tmp_path / 'a.tif'), out=tmp_path / 'o', **settings)['predictions']
    frame = pyogrio.read_dataframe(tmp_path / 'o' / 'a_boxes.gpkg')
    assert len(frame) == len(truth.boxes) == one['objects'] > 0
    x1, y1, x2, y2 = truth.boxes[0].astype(float)
    corners = {(round(8 * x + 6 * y + 5e5, 2), round(6 * x - 8 * y + 4.6e6, 2))
               for x in (x1, x2) for y in (y1, y2)}  # fmt: skip
    assert {(round(x, 2), round(y, 2)) for x, y in frame.geometry[0].exterior.coords} == corners
    found = infer(image, **settings)['predictions'][0]['boxes']
    np.testing.assert_allclose(found.boxes, truth.boxes, atol=1e-3)


CONFIGS = {
    'configs/oscd/small-data_ensemble_16e_oscd-rgb.py': 'change',
    'configs/spacenet7/toy_xdxd-vgg16-small_60e_spacenet7.py': 'footprints',
    'configs/gid/toy_unet_resnet18_20e_gid5.py': 'classes',
}


@pytest.mark.parametrize(('config', 'kind'), CONFIGS.items())
def test_configs_of_each_kind(config, kind, tmp_path):
    infer = Inferencer(ROOT / config, 'random')
    assert infer.task.kind == kind
    rng = np.random.default_rng(0)
    images = rng.integers(1, 250, (infer.task.dates, 96, 80, 3)).astype(np.uint8)
    paths = [str(tmp_path / f'{k}.tif') for k in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        write_raster(path, image, **PLACE)
    (one,) = infer(paths, out=tmp_path / 'o', polygons=True, probabilities=True, check='off')[
        'predictions'
    ]
    with rasterio.open(one['files'][0]) as source:
        labels = source.read(1)
    assert labels.shape == (96, 80)
    assert not set(np.unique(labels)) & set(infer.task.ignored)
    names = {row['class'] for row in one['areas']}
    assert names <= set(infer.task.classes)


def test_a_map_by_random_weights_has_the_colours_of_its_data_set():
    task = Inferencer(ROOT / 'configs/gid/toy_unet_resnet18_20e_gid5.py', 'random').task
    assert task.palette == PALETTES['gid5']
    assert task.classes == CLASSES['gid5']


def test_the_zoo_maps_a_scene_from_the_command_line(tmp_path, capsys):
    image = np.random.default_rng(0).integers(60, 250, (96, 128, 3)).astype(np.uint8)
    write_raster(tmp_path / 'scene.tif', image, **PLACE)
    tool('zoo_eurosat-rgb', 'zoo', tmp_path / 'scene.tif', '--out', tmp_path / 'maps',
         '--stride', 64, '--polygons', '--html', '--cfg-options', 'views=1')  # fmt: skip
    assert '1 scenes, written to' in capsys.readouterr().out
    names = {path.name for path in (tmp_path / 'maps').iterdir()}
    assert {'scene_map.tif', 'scene_polygons.gpkg', 'scene_areas.csv', 'index.html'} <= names
    with rasterio.open(tmp_path / 'maps' / 'scene_map.tif') as source:
        assert source.tags()['RSMM_WEIGHTS'].startswith('zoo_eurosat-rgb-')
        assert '"9": "SeaLake"' in source.tags()['RSMM_CLASSES']


def test_predict_scene_never_shows_what_training_did_not_count(tmp_path):
    image = np.random.default_rng(0).integers(1, 250, (64, 64, 3)).astype(np.uint8)
    write_raster(tmp_path / 'a.tif', image, **PLACE)
    config = str(ROOT / 'configs/gid/toy_unet_resnet18_20e_gid5.py')
    spec = importlib.util.spec_from_file_location('scene', ROOT / 'tools/predict_scene.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(1)
    module.main([config, 'random', str(tmp_path / 'a.tif'), '--out', str(tmp_path / 'm.tif')])
    with rasterio.open(tmp_path / 'm.tif') as source:
        assert 0 not in source.read(1)
