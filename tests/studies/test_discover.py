"""The discovery pipeline from folders of images to a table of events."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from rsmm.errors import ConfigError, DataError
from rsmm.studies import discover
from rsmm.studies.discover import run_discovery
from rsmm.studies.discover_cell import find_changes
from rsmm.studies.discover_options import PUBLISHED, DiscoverOptions, make_options
from rsmm.toy.writers.series import write_series


@pytest.fixture(scope='module')
def cells(tmp_path_factory):
    out = tmp_path_factory.mktemp('toy') / 'cells'
    write_series(out, seed=2, cells=1, static_cells=1, months=10, size=160, events=1, clouds=0)
    return out


@pytest.fixture(scope='module')
def found(cells, tmp_path_factory):
    out = tmp_path_factory.mktemp('found') / 'out'
    run_discovery(cells, out, layouts=('per_event', 'flat'))
    return out


def table(out):
    with open(out / 'events.csv', newline='') as file:
        return list(csv.DictReader(file))


def footprint(out, row, shape):
    masks = sorted((out / 'events' / row['event']).glob('*_mask.png'))
    mask = np.zeros(shape, bool)
    y0, x0, y1, x1 = (int(row[key]) for key in ('y0', 'x0', 'y1', 'x1'))
    mask[y0:y1, x0:x1] = np.any([np.asarray(Image.open(path)) > 0 for path in masks], axis=0)
    return mask


def test_planted_events_are_found_and_nothing_in_a_static_cell(cells, found):
    truth = json.loads((cells / 'truth.json').read_text())
    rows = table(found)
    static = [name for name, kind in truth['kinds'].items() if kind == 'static']
    assert not [row for row in rows if row['cell'] in static]
    planted = [(name, e) for name, events in truth['cells'].items() for e in events]
    assert len(planted) == len(rows) == 1
    for (name, event), row in zip(planted, rows, strict=True):
        mask = np.asarray(Image.open(cells / event['mask'])) > 0
        seen = footprint(found, row, mask.shape)
        assert (seen & mask).sum() > 0.5 * (seen | mask).sum()
        assert row['cell'] == name
        assert row['first'] < event['first'] <= event['last']  # the frame before it shows
        assert float(row['area_ha']) > 0
        assert 31.7 < float(row['lon']) < 31.95


def test_slices_in_both_layouts(found):
    for row in table(found):
        folder = found / 'events' / row['event']
        images, masks = (sorted(folder.glob(f'*_{kind}.png')) for kind in ('img', 'mask'))
        assert len(images) == len(masks) + 1
        side = int(row['y1']) - int(row['y0'])
        total = 0
        for t, path in enumerate(masks):
            mask = np.asarray(Image.open(path))
            assert mask.shape == (side, side)
            assert set(np.unique(mask)) <= {0, 255}
            total += (mask > 0).sum()
            name = f'{row["event"]}_{t:02d}.png'
            assert np.array_equal(mask, np.asarray(Image.open(found / 'flat/mask' / name)))
            for part, offset in (('img1', 0), ('img2', 1)):
                flat = np.asarray(Image.open(found / 'flat' / part / name))
                assert np.array_equal(flat, np.asarray(Image.open(images[t + offset])))
        assert total == int(row['pixels'])


@pytest.mark.parametrize('layouts', [('per_event',), ('flat',)])
def test_the_page_shows_files_that_are_there(cells, found, tmp_path, layouts):
    out = shutil.copytree(found, tmp_path / 'out')
    run_discovery(cells, out, layouts=layouts)
    text = (out / 'events.html').read_text()
    shown = re.findall(r'"(?:before|after)":"([^"]+)"', text)
    assert len(shown) == 2 * len(table(out)) > 0
    assert all((out / path).is_file() for path in shown)


def test_geopackage_has_dates_area_and_place(found):
    import geopandas

    frame = geopandas.read_file(found / 'events.gpkg')
    rows = table(found)
    assert list(frame['event']) == [row['event'] for row in rows]
    assert frame.crs.to_epsg() == 4326
    assert {'first', 'last', 'area_ha', 'score', 'kind'} <= set(frame.columns)
    areas = frame.to_crs(frame.estimate_utm_crs()).area / 10_000
    assert np.allclose(areas, frame['area_ha'], rtol=0.02)


def test_a_second_run_does_nothing(cells, found, monkeypatch):
    before = (found / 'events.csv').read_bytes()
    monkeypatch.setattr(discover, 'process_cell', None)
    run_discovery(cells, found, layouts=('per_event', 'flat'), page=False)
    assert (found / 'events.csv').read_bytes() == before


@pytest.mark.parametrize('stage', ['write_features', 'find_changes', 'write_slices'])
def test_resumed_equals_unbroken(cells, found, tmp_path, monkeypatch, stage):
    calls = []

    def stop(*args, **kwargs):
        calls.append(stage)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(discover, stage, stop)
        with pytest.raises(KeyboardInterrupt):
            run_discovery(cells, tmp_path / 'out', page=False)
    assert calls
    assert not (tmp_path / 'out' / 'events.csv').exists()
    run_discovery(cells, tmp_path / 'out', page=False)
    assert (tmp_path / 'out/events.csv').read_bytes() == (found / 'events.csv').read_bytes()


def test_a_changed_option_redoes_what_depends_on_it(cells, found, tmp_path, monkeypatch):
    out = shutil.copytree(found, tmp_path / 'out')
    monkeypatch.setattr(discover, 'find_changes', None)  # labels are kept
    strict = DiscoverOptions(min_voxels=100_000)
    assert run_discovery(cells, out, options=strict, page=False)['events'] == 0
    assert (out / 'events.csv').read_text().count('\n') == 1
    assert not list((out / 'events').iterdir())
    assert not list((out / 'flat').glob('*/*.png'))


@pytest.mark.distributed
def test_two_processes_give_the_same(cells, found, tmp_path):
    run_discovery(cells, tmp_path / 'out', processes=2, page=False)
    assert (tmp_path / 'out/events.csv').read_bytes() == (found / 'events.csv').read_bytes()


def series(root, frames, name='site'):
    for month, frame in enumerate(frames):
        path = root / name / f'{name}_2020-{month + 1:02d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(path)
    return root


def noise(seed=0, count=8, size=64):
    rng = np.random.default_rng(seed)
    ground = rng.integers(60, 120, (size, size, 3))
    return np.clip(ground + rng.normal(0, 3, (count, size, size, 3)), 0, 255).astype(np.uint8)


def run(root, out, **options):
    return run_discovery(root, out, options=DiscoverOptions(**options), page=False)


def test_too_few_dates(tmp_path):
    series(tmp_path / 'cells', noise(count=3), 'short')
    with pytest.raises(DataError, match='short: 3 dates, fewer than 4.*Use min_dates=3'):
        run(tmp_path / 'cells', tmp_path / 'out')
    assert run(tmp_path / 'cells', tmp_path / 'out', min_dates=3)['cells'] == 1
    series(tmp_path / 'cells', noise(), 'long')
    summary = run(tmp_path / 'cells', tmp_path / 'out')
    assert summary['notes'] == ['short: 3 dates, fewer than 4: left out']


def test_a_change_in_a_series_of_three(tmp_path):
    frames = noise(count=3, size=96)
    frames[1:, 20:50, 30:70] = 230
    series(tmp_path / 'cells', frames)
    (row,) = run(tmp_path / 'cells', tmp_path / 'out', min_dates=3)['rows']
    assert (row['first'], row['last']) == ('2020-01', '2020-01')
    assert row['area_ha'] is None  # no place


def test_no_change_at_all_and_change_everywhere(tmp_path):
    same = np.repeat(noise(count=1), 8, axis=0)
    series(tmp_path / 'cells', same, 'frozen')
    turned = np.concatenate([noise(0, 4), noise(1, 4)])
    series(tmp_path / 'cells', turned, 'turned')
    summary = run(tmp_path / 'cells', tmp_path / 'out')
    assert summary['events'] == 0
    assert any('turned: 1 frames changed over more than' in note for note in summary['notes'])


def test_a_truncated_frame_and_one_of_another_size(tmp_path):
    root = series(tmp_path / 'cells', noise(), 'good')
    series(root, noise(), 'bad')
    broken = root / 'bad' / 'bad_2020-04.png'
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(DataError, match='bad_2020-04.png.*1 of 2 cells failed'):
        run(root, tmp_path / 'out')
    assert (tmp_path / 'out/work/good/events.json').is_file()  # the others are done
    summary = run(root, tmp_path / 'out', bad_frames='skip')
    assert any('bad: 1 frames that cannot be used left out' in note for note in summary['notes'])
    Image.fromarray(noise(size=32)[0]).save(broken)
    with pytest.raises(DataError, match='3 bands of 32x32 pixels, the series has 3 of 64x64'):
        run(root, tmp_path / 'out')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(min_chagne=0.1), "Did you mean 'min_change'"),
        (dict(min_change='low'), "expected a number from 0 to 2 or 'auto'"),
        (dict(min_dates=2), 'from 3'),
        (dict(normalise='rank'), 'expected one of fit, mean, none'),
        (dict(max_share=1.5), 'from 0 to 1'),
        (dict(components=0), 'from 1'),
        (dict(min_voxels=1.5), 'a whole number'),
    ],
)
def test_options_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_options(settings)


def test_calls_that_cannot_be(tmp_path, cells):
    for settings, message in (
        (dict(config='x.py'), 'a config needs a checkpoint'),
        (dict(layouts=('zip',)), 'expected per_event or flat'),
        (dict(processes=0), 'at least 1'),
    ):
        with pytest.raises(ConfigError, match=message):
            run_discovery(cells, tmp_path / 'out', **settings)


def test_noise_gives_events_as_published_and_none_by_default(tmp_path):
    """Otsu splits noise as well: the floor is what keeps static cells empty."""
    counts = {'published': 0, 'floor': 0}
    for seed in range(3):
        root = series(tmp_path / str(seed), noise(seed, size=96))
        loose = {**PUBLISHED, 'min_voxels': 25, 'min_pixels': 100, 'max_share': 1.0}
        counts['published'] += run(root, tmp_path / f'p{seed}', **loose)['events'] > 0
        floored = {**loose, 'min_change': 'auto'}
        counts['floor'] += run(root, tmp_path / f'f{seed}', **floored)['events'] > 0
    assert counts == {'published': 3, 'floor': 0}


def scene(ground, growing, noise, seed=4, count=10, size=96):
    """A still ground under other light every month, and on it something that is built."""
    rng = np.random.default_rng(seed)
    still = {
        'flat': np.full((size, size, 3), 0.4),
        'textured': 0.4 + 0.05 * rng.standard_normal((size, size, 3)),
        'fields': rng.uniform(0.2, 0.6, (4, 4, 3)).repeat(size // 4, 0).repeat(size // 4, 1),
    }[ground]
    mask = np.zeros((size, size), bool)
    mask[30:62, 20:60] = True
    frames = np.repeat(still[None], count, axis=0)
    for month in range(4, count):
        columns = min(20 + 10 * (month - 3), 60) if growing else 60
        frames[month, 30:62, 20:columns] = (0.75, 0.7, 0.6)
    light = 1 + 0.08 * rng.standard_normal((count, 1, 1, 1))
    frames = frames * light + noise * rng.standard_normal(frames.shape)
    return (255 * np.clip(frames, 0, 1)).astype(np.uint8), mask


@pytest.mark.parametrize('noise', [0.005, 0.03])
@pytest.mark.parametrize('growing', [False, True], ids=['at once', 'growing'])
@pytest.mark.parametrize('ground', ['flat', 'textured', 'fields'])
def test_grounds_of_other_kinds(tmp_path, ground, growing, noise):
    frames, mask = scene(ground, growing, noise)
    series(tmp_path / 'cells', frames, 'built')
    series(tmp_path / 'cells', np.concatenate([frames[:4], frames[:4], frames[:2]]), 'still')
    summary = run(tmp_path / 'cells', tmp_path / 'out')
    assert {row['cell'] for row in summary['rows']} == {'built'}
    best = max(
        (seen & mask).sum() / (seen | mask).sum()
        for seen in (
            footprint(tmp_path / 'out', row, mask.shape) for row in table(tmp_path / 'out')
        )
    )
    assert best > 0.5


@pytest.mark.parametrize('images', ['none', 'sibling'])
def test_a_cloud_that_leaves(tmp_path, images):
    """Two differences keep what a cloud leaves; cloud images or the rest of a series do not."""
    frames, _ = scene('textured', False, 0.01)
    frames[4:] = frames[0]
    frames[4, 40:80, 10:50] = 250
    root = series(tmp_path / 'cells', frames)
    if images == 'sibling':
        cloud = np.zeros(frames.shape[1:3], np.uint8)
        cloud[38:82, 8:52] = 255
        Image.fromarray(cloud).save(root / 'site' / 'site_2020-05_cloud.png')
    two = dict(lasting=False, third=False)
    kept = run(root, tmp_path / 'two', **two)['rows']
    if images == 'none':
        assert {(row['first'], row['last']) for row in kept} == {('2020-05', '2020-05')}
        assert run(root, tmp_path / 'three', lasting=False, third=True)['rows']
    else:
        assert kept == []
    assert run(root, tmp_path / 'lasting')['rows'] == []


@pytest.mark.parametrize(('max_gap', 'frames'), [(0, {3, 5}), (3, {3, 5}), (2, {5})])
def test_dates_far_apart_are_not_compared(max_gap, frames):
    """Two places change: one across a gap of three months, the other from month to month."""
    features = np.zeros((10, 2, 30, 60), np.float32)
    features[:, 0] = 1
    for start, columns in ((4, slice(5, 20)), (6, slice(40, 55))):
        features[start:, :, 5:20, columns] = np.array([0, 1], np.float32)[:, None, None]
    gaps = np.ones(9, int)
    gaps[3] = 3
    options = DiscoverOptions(max_gap=max_gap, min_change=0.1, sharpen=False)
    labels, _, _ = find_changes(features, options, gaps)
    assert set(np.flatnonzero(labels.any(axis=(1, 2)))) == frames


def test_months_count_not_frames(tmp_path):
    """A cell whose only change lies across missing months has no event with max_gap=1."""
    ground = np.random.default_rng(0).integers(80, 90, (64, 64, 3))
    for number, month in enumerate((0, 1, 2, 6, 7, 8, 9, 10)):
        image = ground + np.random.default_rng(number).integers(0, 3, ground.shape)
        if month >= 6:
            image[20:44, 20:44] = 200
        path = tmp_path / f'cells/3005_3175/bbox31750_30050_2018_{month:02d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(path)
    for max_gap, count in ((0, 1), (4, 1), (3, 0)):
        options = DiscoverOptions(max_gap=max_gap)
        found = run_discovery(tmp_path / 'cells', tmp_path / f'out{max_gap}', options=options)
        assert found['events'] == count, max_gap
