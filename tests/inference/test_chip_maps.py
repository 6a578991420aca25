"""A classifier of chips over a scene: each place gets the class of the chips that cover it."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import torch
from mmpretrain.structures import DataSample
from torch import nn

from rsmm.geo.io import write_raster
from rsmm.inference.chip_maps import ChipMap, as_map_model
from rsmm.inference.scene import predict_scene
from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor

PLACE = {'crs': 'EPSG:32631', 'transform': (10.0, 0.0, 5000.0, 0.0, -10.0, 9000.0)}


class Brightness(nn.Module):
    """Class 2 for bright chips, class 1 for middling ones, class 0 for dark ones."""

    def __init__(self) -> None:
        super().__init__()
        self.data_preprocessor = MultiSpectralPreprocessor(bands='eurosat-rgb')
        self.head = nn.Identity()
        self.head.num_classes = 3
        self.seen: list[tuple] = []

    def predict(self, inputs):
        self.seen.append(tuple(inputs.shape))
        levels = torch.tensor([0.0, 100.0, 200.0])
        distance = (inputs.mean(dim=(1, 2, 3))[:, None] - levels).abs()
        return [DataSample().set_pred_score(row) for row in (-distance / 10).softmax(dim=1)]


@pytest.fixture
def scene(tmp_path):
    image = np.zeros((128, 192, 3), np.uint8)
    image[:64, :64], image[64:, 128:] = 200, 100
    write_raster(tmp_path / 'scene.tif', image, bands=('B04', 'B03', 'B02'), **PLACE)
    return tmp_path / 'scene.tif'


def read(path):
    with rasterio.open(path) as source:
        return source.read(1), source.transform, source.crs


def test_classes_lie_where_the_chips_are(scene, tmp_path):
    model = Brightness()
    predict_scene(model, scene, tmp_path / 'map.tif', stride=64)
    labels, transform, crs = read(tmp_path / 'map.tif')
    expected = np.zeros((128, 192), np.uint8)
    expected[:64, :64], expected[64:, 128:] = 2, 1
    np.testing.assert_array_equal(labels, expected)
    assert tuple(transform)[:6] == PLACE['transform']
    assert crs.to_epsg() == 32631
    assert {shape[1:] for shape in model.seen} == {(3, 64, 64)}


def test_chips_overlap_by_half_unless_told(scene, tmp_path):
    model = Brightness()
    predict_scene(model, scene, tmp_path / 'map.tif')
    assert sum(shape[0] for shape in model.seen) == 3 * 5
    labels = read(tmp_path / 'map.tif')[0]
    assert labels[5, 5] == 2
    assert labels[120, 180] == 1
    assert labels[100, 20] == 0


def test_other_models_stay_as_they_are():
    model = nn.Linear(1, 1)
    assert as_map_model(model) is model
    wrapped = as_map_model(Brightness())
    assert isinstance(wrapped, ChipMap)
    assert as_map_model(wrapped) is wrapped
