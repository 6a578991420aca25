"""Toy cells: their files and their truth."""

import json

import numpy as np
import pytest
from PIL import Image

from rsmm.datasets.cells import find_cells
from rsmm.errors import ConfigError
from rsmm.toy.writers.series import write_series


@pytest.fixture(scope='module')
def series(tmp_path_factory):
    out = tmp_path_factory.mktemp('series') / 'cells'
    write_series(out, seed=3, cells=2, static_cells=1, seasonal_cells=1, months=9, size=96, gaps=1)
    return out


def test_layout_and_truth(series):
    truth = json.loads((series / 'truth.json').read_text())
    cells = {cell.name: cell for cell in find_cells(series)}
    assert set(cells) == set(truth['cells'])
    assert sorted(truth['kinds'].values()) == ['events', 'events', 'seasonal', 'static']
    for name, events in truth['cells'].items():
        assert len(cells[name]) == 8  # nine months with a gap
        assert bool(events) == (truth['kinds'][name] == 'events')
        for event in events:
            mask = np.asarray(Image.open(series / event['mask']))
            assert mask.shape == (96, 96)
            assert set(np.unique(mask)) == {0, 255}
            assert event['kind'] in ('town', 'road', 'field')


def test_events_change_their_mask_and_nothing_before(series):
    """What a month shows is under the mask from ``first`` on, complete at ``last``."""
    truth = json.loads((series / 'truth.json').read_text())
    for cell in find_cells(series):
        frames = np.stack([cell.read(t)[0] for t in range(len(cell))])
        for event in truth['cells'][cell.name]:
            inside = np.asarray(Image.open(series / event['mask'])) > 0
            first, last = (cell.months.index(event[key]) for key in ('first', 'last'))
            light = np.median(frames, axis=(2, 3))
            spots = frames[:, :, inside].mean(axis=2) - light
            around = np.abs(spots - np.median(spots[:first], axis=0)).max(axis=1)
            assert around[last] > 2 * np.median(around[:first])


def test_same_settings_same_bytes(series, tmp_path):
    settings = dict(seed=3, cells=2, static_cells=1, seasonal_cells=1, months=9, size=96, gaps=1)
    assert write_series(series, **settings) is False
    write_series(tmp_path / 'again', **settings)
    files = sorted(path.relative_to(series) for path in series.rglob('*.jpg'))
    assert len(files) == 32
    for path in files[::5]:
        assert (series / path).read_bytes() == (tmp_path / 'again' / path).read_bytes()


@pytest.mark.parametrize('images', ['sibling', 'parallel'])
def test_geotiff_with_clouds(tmp_path, images):
    out = tmp_path / 'cells'
    write_series(
        out, cells=1, static_cells=0, months=8, size=96, layout='geotiff', cloud_images=images,
        clouds=0.3,
    )  # fmt: skip
    clouds = out / 'clouds' if images == 'parallel' else None
    (cell,) = find_cells(out, clouds=clouds)
    assert cell.has_clouds
    assert cell.read(0)[0].shape == (4, 96, 96)
    assert max(cell.read_clouds(t, (96, 96)).max() for t in range(8)) > 200
    assert cell.place()['crs']


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(months=7), 'at least 8 of 96'),
        (dict(size=64), 'at least 8 of 96'),
        (dict(layout='zarr'), "layout='zarr': expected one of cairo, geotiff"),
        (dict(cloud_images='yes'), 'expected one of none, sibling, parallel'),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        write_series(tmp_path / 'x', **settings)
