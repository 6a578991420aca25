"""Detection on files: a real detector through the tool, and a perfect one through the files."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config
from rsmm.datasets.coco import read_coco
from rsmm.engine.runner import Runner
from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import read_vector, write_raster
from rsmm.inference.detect_files import detect_files, find_images, load_detector
from rsmm.inference.detection import model_predictor
from rsmm.registry import MODELS
from rsmm.toy.writers.aerial import write_aerial
from tests.inference.test_detection import find_blobs, scene

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/faster_rcnn/faster-rcnn_r18-narrow_12e_toy.py'
PLACE = {'crs': 'EPSG:32632', 'transform': (0.5, 0, 500000.0, 0, -0.5, 4000000.0)}


@pytest.fixture(scope='module')
def toy(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('toy') / 'aerial'
    write_aerial(out, images=2, size=128)
    return out


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> Path:
    """Random weights as training saves them, with the class names."""
    init_default_scope('rsmm')
    torch.manual_seed(0)
    model = MODELS.build(load_config(CONFIG).model)
    model.init_weights()
    path = tmp_path_factory.mktemp('detector') / 'epoch_1.pth'
    classes = [f'kind {k}' for k in range(16)]
    meta = {'dataset_meta': {'classes': classes}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return path


def run_tool(*arguments) -> None:
    spec = importlib.util.spec_from_file_location('predict_boxes', ROOT / 'tools/predict_boxes.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main([str(argument) for argument in arguments])


def test_predictor_gives_what_the_test_loop_gives(toy: Path, checkpoint: Path) -> None:
    """Resizing, normalisation and the way back are those of the config's test pipeline."""
    config = load_config(CONFIG, {'data_root': str(toy), 'num_workers': 0, 'scale': (192, 160)})
    config.test_dataloader.dataset.split = 'all'
    detector = load_detector(str(CONFIG), str(checkpoint), options={'scale': (192, 160)})
    assert detector.scale == (192, 160)
    assert detector.classes[3] == 'kind 3'
    loader = Runner.build_dataloader(copy.deepcopy(config.test_dataloader), seed=0)
    for batch in loader:
        with torch.no_grad():
            expected = detector.model.test_step(copy.deepcopy(batch))[0].pred_instances
        path = batch['data_samples'][0].img_path
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        found = model_predictor(detector.model, detector.scale)([image])[0]
        assert len(found.boxes) == len(expected.bboxes) > 0
        np.testing.assert_allclose(found.boxes, expected.bboxes.numpy(), atol=1e-3)
        np.testing.assert_allclose(found.scores, expected.scores.numpy(), atol=1e-5)


def test_tool_on_a_folder(toy: Path, checkpoint: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / 'out'
    run_tool(CONFIG, checkpoint, toy / 'images', '--out', out, '--score', 0.055)
    entries, classes = read_coco(out / 'detections.json', toy / 'images', on_bad='skip')
    total = sum(len(entry['instances']) for entry in entries)
    assert total > 0
    assert f'{total} objects in 2 images' in capsys.readouterr().out
    assert set(classes) <= {f'kind {k}' for k in range(16)}
    for name in ('S0001', 'S0002'):
        assert cv2.imread(str(out / f'pictures/{name}.png')).shape == (128, 128, 3)
    boxes = [read_vector(out / f'boxes/{name}.geojson')[0] for name in ('S0001', 'S0002')]
    assert sum(len(part) for part in boxes) == total


def test_tool_on_a_scene_in_tiles(toy: Path, checkpoint: Path, tmp_path: Path) -> None:
    image = cv2.cvtColor(cv2.imread(str(toy / 'images/S0001.png')), cv2.COLOR_BGR2RGB)
    write_raster(tmp_path / 'scene.tif', np.tile(image, (2, 3, 1)), **PLACE)
    run_tool(
        CONFIG, checkpoint, tmp_path / 'scene.tif', '--out', tmp_path / 'out', '--tile', 128,
        '--stride', 96, '--batch-size', 2, '--score', 0.055, '--vector', 'gpkg', '--no-pictures',
        '--cfg-options', 'scale=(128,128)',
    )  # fmt: skip
    boxes, columns, crs = read_vector(tmp_path / 'out/boxes/scene.gpkg')
    assert len(boxes) > 0
    assert 'UTM zone 32N' in crs
    bounds = np.array([box.bounds for box in boxes])
    assert bounds[:, 0].min() >= 500000
    assert bounds[:, 2].max() <= 500000 + 384 / 2
    assert bounds[:, 1].min() >= 4000000 - 256 / 2
    assert bounds[:, 3].max() <= 4000000
    assert set(columns['class']) <= {f'kind {k}' for k in range(16)}
    assert not (tmp_path / 'out/pictures').exists()


@pytest.mark.parametrize('suffix', ['tif', 'png'])
@pytest.mark.parametrize('tile', [None, 100])
def test_files_hold_what_is_in_the_images(tmp_path: Path, suffix: str, tile: int | None) -> None:
    image, truth = scene()
    path = tmp_path / f'scene.{suffix}'
    if suffix == 'tif':
        write_raster(path, image, **PLACE)
    else:
        cv2.imwrite(str(path), image)
    settings = {} if tile is None else dict(tile=tile, stride=60, score_threshold=0.5)
    found = detect_files(find_blobs, [path], tmp_path / 'out', ('dim', 'bright'), **settings)
    assert len(found[0].boxes) == len(truth)
    boxes, columns, _ = read_vector(tmp_path / 'out/boxes/scene.geojson')
    expected = []
    for x1, y1, x2, y2, label in truth:
        box = (x1, y1, x2, y2)
        if suffix == 'tif':
            box = (500000 + x1 / 2, 4000000 - y2 / 2, 500000 + x2 / 2, 4000000 - y1 / 2)
        expected.append((*box, ('dim', 'bright')[label]))
    written = [(*box.bounds, name) for box, name in zip(boxes, columns['class'], strict=True)]
    assert sorted(written) == sorted(expected)
    table = json.loads((tmp_path / 'out/detections.json').read_text())
    corners = {tuple(entry['bbox'][:2]) for entry in table['annotations']}
    assert corners == {(x1, y1) for x1, y1, *_ in truth}


def test_pictures_of_large_many_band_scenes_are_reduced(tmp_path: Path) -> None:
    image = np.zeros((600, 4096, 4), np.uint16)
    image[100:140, 2000:2100] = 3000
    path = tmp_path / 'scene.tif'
    write_raster(path, image, bands=('B02', 'B03', 'B04', 'B08'), **PLACE)

    def perfect(images):
        return find_blobs([(part[..., :1] > 0).astype(np.uint8) * 150 for part in images])

    detect_files(perfect, [path], tmp_path / 'out', ('dim', 'bright'), tile=512)
    picture = cv2.imread(str(tmp_path / 'out/pictures/scene.png'))
    assert picture.shape == (300, 2048, 3)
    assert picture[60, 1025].tolist() == [255, 255, 255]
    assert len(set(picture[50, 1025].tolist())) > 1  # the coloured edge of the box


def test_grey_and_transparent_pictures_and_gaps(
    toy: Path, checkpoint: Path, tmp_path: Path
) -> None:
    image = cv2.imread(str(toy / 'images/S0001.png'))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(tmp_path / 'grey.png'), grey)
    cv2.imwrite(str(tmp_path / 'repeated.png'), np.dstack([grey] * 3))
    cv2.imwrite(str(tmp_path / 'alpha.png'), np.dstack([image, np.full_like(grey, 9)]))
    cv2.imwrite(str(tmp_path / 'plain.png'), image)
    gaps = image[..., ::-1].astype(np.float32)
    empty = (gaps < 60).any(axis=2)
    filled = gaps.copy()
    filled[empty] = gaps[~empty].mean(axis=0, dtype=np.float64)
    write_raster(tmp_path / 'filled.tif', filled, **PLACE)
    write_raster(tmp_path / 'gaps.tif', np.where(gaps < 60, np.nan, gaps), **PLACE)
    detector = load_detector(str(CONFIG), str(checkpoint), options={'scale': (128, 128)})
    predict = model_predictor(detector.model, detector.scale)
    names = ('grey.png', 'repeated.png', 'alpha.png', 'plain.png', 'gaps.tif', 'filled.tif')
    found = detect_files(
        predict, [tmp_path / name for name in names], tmp_path / 'out', detector.classes,
        score_threshold=0.055,
    )  # fmt: skip
    for changed, plain in zip(found[::2], found[1::2], strict=True):
        assert len(plain.boxes) > 0
        np.testing.assert_array_equal(changed.boxes, plain.boxes)
    with pytest.raises(DataError, match='4 bands, but the detector takes 3'):
        predict([np.zeros((32, 32, 4), np.uint8)])


@pytest.mark.parametrize('bad', [{'tile': 0}, {'tile': 64, 'stride': 0}, {'batch_size': 0}])
def test_sizes_of_nothing(toy: Path, tmp_path: Path, bad: dict) -> None:
    with pytest.raises(ConfigError):
        detect_files(find_blobs, [toy / 'images/S0001.png'], tmp_path, ('a', 'b'), **bad)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='holds no images'):
        find_images([tmp_path])
    (tmp_path / 'a').mkdir()
    for name in ('a/x.png', 'x.tif'):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match='2 images are called x'):
        find_images([tmp_path / 'a', tmp_path / 'x.tif'])
    with pytest.raises(ConfigError, match='vector'):
        detect_files(find_blobs, [], tmp_path, (), vector='shp')
    with pytest.raises(DataError, match='no such file'):
        detect_files(find_blobs, [tmp_path / 'none.tif'], tmp_path, ())
    with pytest.raises(ConfigError, match='is a file'):
        detect_files(find_blobs, [], tmp_path / 'x.tif', ())
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match='no CUDA device'):
            load_detector(str(CONFIG), 'random', 'cuda')
    with pytest.raises(ConfigError, match='no bbox_head'):
        load_detector(str(ROOT / 'configs/eurosat/resnet18_scratch-12e_eurosat-rgb.py'), 'random')
