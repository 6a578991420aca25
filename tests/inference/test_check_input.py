"""What a network was trained on travels in its checkpoint and is held against each scene."""

from __future__ import annotations

import random
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch

from rsmm.apis import Inferencer, build_model
from rsmm.checkpoints.files import save_checkpoint_file
from rsmm.datasets.change_folder import ChangeFolder
from rsmm.datasets.gid import GID
from rsmm.engine import runner_checkpoint
from rsmm.engine.input_facts import input_facts
from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import write_raster
from tests.inference.small_models import COLOURS, PLACE, Brightest, inferencer, small_config

SCENE = np.random.default_rng(0).integers(200, 3000, (60, 80, 3)).astype(np.uint16)
FACTS = {
    'bands': list(COLOURS), 'dtype': 'uint16', 'low': [200.0] * 3, 'high': [3000.0] * 3,
    'mean': [1600.0] * 3, 'std': [800.0] * 3, 'scales': None, 'offsets': None, 'gsd': 10.0,
}  # fmt: skip


def found(tmp_path: Path, image=SCENE, pixel=10.0, tags=None, facts=FACTS, **settings):
    """Warnings for a scene."""
    transform = (pixel, 0.0, 500000.0, 0.0, -pixel, 4600000.0)
    write_raster(tmp_path / 'a.tif', image, crs='EPSG:32631', transform=transform)
    if tags:
        with rasterio.open(tmp_path / 'a.tif', 'r+') as target:
            target.scales, target.offsets = ((one,) * 3 for one in tags)
    infer = inferencer()
    infer.facts = facts
    return infer(str(tmp_path / 'a.tif'), **settings)['predictions'][0]['warnings']


CASES = {
    'as in training': ({}, None, None),
    'reflectance': (dict(image=(SCENE / 10000).astype(np.float32)), 'reach 0.299., .* 3000', True),
    'bytes': (dict(image=(SCENE // 12).astype(np.uint8)), 'reach 249.*another unit', True),
    'brighter': (dict(image=SCENE + 2000), '% of B0[234] lie outside the range', False),
    'coarser': (dict(pixel=20.0), 'pixels of 20 m, trained on 10 m', False),
    'far coarser': (dict(pixel=60.0), 'pixels of 60 m, trained on 10 m', True),
    'much finer': (dict(pixel=0.5), 'pixels of 0.5 m', True),
    'tags': (dict(tags=(1e-4, -0.1)), 'tags 0.0001 and -0.1, trained on 1 and 0', False),
}


@pytest.mark.parametrize(('change', 'text', 'refused'), CASES.values(), ids=CASES)
def test_another_range_or_pixel_size_is_said_with_figures(tmp_path, change, text, refused):
    if refused:
        with pytest.raises(DataError, match=text):
            found(tmp_path, **change)
    warnings = found(tmp_path, **change, check='warn')
    if text is None:
        assert warnings == []
    else:
        assert len(warnings) == 1
        assert re.search(text, warnings[0])
    assert found(tmp_path, **change, check='off') == []
    with pytest.raises(ConfigError, match="check='maybe'"):
        found(tmp_path, check='maybe')


def test_without_facts_the_preprocessor_tells_the_unit(tmp_path):
    write_raster(tmp_path / 'a.tif', (SCENE / 10000).astype(np.float32), **PLACE)
    config = small_config()
    config.model.data_preprocessor.update(mean=[1600.0] * 3, std=[800.0] * 3)
    with pytest.raises(DataError, match='around 0.16 where the model expects 1.6e\\+03'):
        Inferencer(config, 'random')(str(tmp_path / 'a.tif'))
    write_raster(tmp_path / 'a.tif', SCENE, **PLACE)
    Inferencer(config, 'random')(str(tmp_path / 'a.tif'))


def pairs(tmp_path: Path) -> ChangeFolder:
    rng = np.random.default_rng(0)
    for k in range(3):
        for folder in ('A', 'B'):
            image = rng.integers(50, 150, (20, 30, 3)).astype(np.uint16) + k
            write_raster(tmp_path / folder / f'{k}.tif', image, bands=COLOURS, **PLACE)
        label = rng.integers(0, 2, (20, 30)).astype(np.uint8) * 255
        write_raster(tmp_path / 'label' / f'{k}.tif', label)
    return ChangeFolder(str(tmp_path), pipeline=[dict(type='LoadPair')])


def test_facts_of_a_data_set_and_no_random_number_used(tmp_path):
    dataset = pairs(tmp_path)
    states = [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]
    facts = input_facts(dataset)
    assert states == [
        random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(),
    ]  # fmt: skip
    assert facts['dtype'] == 'uint16'
    assert facts['gsd'] == pytest.approx(10.004, abs=1e-3)
    assert len(facts['mean']) == 3
    assert facts['mean'] == pytest.approx([100.5] * 3, abs=1.5)
    assert 50 <= min(facts['low']) <= max(facts['high']) <= 152
    (tmp_path / 'A' / '0.tif').write_bytes(b'broken')
    assert input_facts(dataset)['gsd']  # the others tell
    assert input_facts(SimpleNamespace(pipeline=None)) == {}


def test_they_travel_in_the_checkpoint(tmp_path):
    runner = SimpleNamespace(
        config_text='', seed=0, experiment_name='x',
        train_dataloader=SimpleNamespace(dataset=pairs(tmp_path)),
    )  # fmt: skip
    facts = runner_checkpoint._run_facts(runner)['input']
    model = build_model(small_config())
    state = {'meta': {'input': {**facts, 'void': [1]}}, 'state_dict': model.state_dict()}
    save_checkpoint_file(state, tmp_path / 'weights.pth')
    infer = Inferencer(small_config(Brightest), tmp_path / 'weights.pth')
    assert infer.facts['mean'] == facts['mean']
    assert infer.task.ignored == (1,)
    with pytest.raises(DataError, match='another unit'):
        infer(SCENE)


def test_classes_that_do_not_count_are_among_them(tmp_path):
    for k in range(2):
        write_raster(tmp_path / 'image_RGB' / f'{k}.tif', np.zeros((8, 8, 3), np.uint8))
        write_raster(tmp_path / 'label_5classes' / f'{k}.tif', np.ones((8, 8), np.uint8))
    dataset = GID(str(tmp_path), split='all', pipeline=[dict(type='LoadRaster')])
    assert input_facts(dataset)['void'] == [0]


def test_the_zoo_says_what_its_network_was_trained_on():
    infer = Inferencer('zoo_eurosat-rgb', options={'views': 1})
    assert infer.facts['gsd'] == 10
    with pytest.raises(DataError, match='values reach 299., in training 255'):
        infer(SCENE)
