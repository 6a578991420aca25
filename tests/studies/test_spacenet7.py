"""The chain from images to score: files on the map, switches, resuming, processes, pictures."""

import json
import runpy
import sys

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from rsmm.datasets.spacenet7 import find_cubes
from rsmm.errors import ConfigError
from rsmm.evaluation.functional import scot
from rsmm.geo import read_submission, sightings
from rsmm.studies import spacenet7
from rsmm.studies.spacenet7 import find_buildings, process_aoi, read_truth, run_pipeline
from rsmm.studies.spacenet7_options import PipelineOptions, make_options
from rsmm.visualization.spacenet7_figures import write_figures

CONFIG = 'configs/spacenet7/toy_xdxd-vgg16-small_60e_spacenet7.py'
SMALL = {'model.backbone.base_channels': 4, 'model.decode_head.base_channels': 4}


def oracle(frames):
    """A predictor that knows the truth of the image it is shown."""
    truth = read_truth({frames[0].aoi: frames})[frames[0].aoi]
    months = iter([frame.month for frame in frames])

    def predict(tiles):
        from rsmm.geo import footprint_mask

        (tile,) = tiles
        shapes = [shape for _, shape in truth[next(months)]]
        return np.where(footprint_mask(shapes, tile.shape[:2]), 3.0, -3.0)[None, ..., None]

    return predict


@pytest.fixture
def aoi(toy_spacenet7):
    return next(iter(find_cubes(toy_spacenet7 / 'train').items()))


def test_a_perfect_network_is_limited_by_pixels_alone(aoi, tmp_path):
    name, frames = aoi
    truth = read_truth({name: frames})
    cube = process_aoi(name, frames, oracle(frames), tmp_path, PipelineOptions())
    result = scot(truth, {name: cube})['per_aoi'][name]
    assert result['track_score'] > 0.6  # touching buildings merge at 4.8 m


def test_files_lie_on_the_map(aoi, tmp_path):
    name, frames = aoi
    cube = process_aoi(name, frames, oracle(frames), tmp_path, PipelineOptions(format='gpkg'))
    frame = frames[-1]
    with rasterio.open(frame.image) as source:
        crs, transform, size = source.crs, source.transform, source.shape
    for kind in ('probabilities', 'masks'):
        with rasterio.open(tmp_path / name / kind / f'{frame.stem}.tif') as written:
            assert (written.crs, written.transform, written.shape) == (crs, transform, size)
    with rasterio.open(tmp_path / name / 'probabilities' / f'{frame.stem}.tif') as written:
        values = written.read(1)
        assert np.nanmin(values) >= 0
        assert np.nanmax(values) <= 1
    layer = geopandas.read_file(tmp_path / name / 'polygons' / f'{frame.stem}.gpkg')
    assert layer.crs == crs
    assert len(layer) == len(cube[frame.month])
    image_box = shapely.box(*rasterio.transform.array_bounds(*size, transform))
    assert layer.geometry.within(image_box.buffer(1e-6)).all()
    history = geopandas.read_file(tmp_path / name / 'buildings.gpkg')
    assert len(history) == len(sightings(cube))
    assert (history.first_seen <= history.last_seen).all()
    assert read_submission(tmp_path / name / 'submission.csv', drop_empty=True)[name] == cube


def test_nothing_is_predicted_without_data(aoi, tmp_path, monkeypatch):
    name, frames = aoi
    original = spacenet7.read_mosaic

    def half_blind(*args):
        image, place = original(*args)
        place['valid'][:, 32:] = False
        return image, place

    monkeypatch.setattr(spacenet7, 'read_mosaic', half_blind)
    options = PipelineOptions(max_gap=9)
    cube = process_aoi(name, frames, oracle(frames), tmp_path, options)
    shapes = [shape for rows in cube.values() for _, shape in rows]
    assert shapes
    assert shapely.total_bounds(shapes)[2] <= 32
    with rasterio.open(tmp_path / name / 'probabilities' / f'{frames[0].stem}.tif') as source:
        assert np.isnan(source.read(1)[:, 32:]).all()


def stack(seed=0):
    rng = np.random.default_rng(seed)
    logits = np.full((6, 40, 40, 1), -4.0)
    logits[:, 5:12, 5:12] = 3
    logits[3:, 20:28, 20:28] = 3
    logits[2, 33:36, 2:6] = 3  # seen once
    return logits + 0.2 * rng.normal(size=logits.shape)


@pytest.mark.parametrize(
    'settings',
    [{}, {'min_months': 2}, {'look_ahead': 2}, {'watershed': (0.7, 0.3)}, {'mode': 'collapse'}],
)
def test_switches(settings):
    months = [f'2018_{k:02d}' for k in range(1, 7)]
    valid = [np.ones((40, 40), bool)] * 6
    cube = find_buildings(months, list(stack()), valid, PipelineOptions(**settings))
    seen = sorted(map(tuple, sightings(cube).values()))
    lasting = [(0, 1, 2, 3, 4, 5), (3, 4, 5)]
    if 'min_months' in settings or 'look_ahead' in settings or 'mode' in settings:
        assert seen == lasting
    else:
        assert seen == sorted([*lasting, (2,)])


def test_options_are_checked():
    assert make_options({'mode': 'collapse', 'min_months': 3}).min_months == 3
    with pytest.raises(ConfigError, match=r"no pipeline option 'min_month'. Did you mean"):
        make_options({'min_month': 3})
    with pytest.raises(ConfigError, match='collapse'):
        make_options({'mode': 'hungarian'})
    with pytest.raises(ConfigError, match='gpkg'):
        make_options({'format': 'shp'})


def run(repo_root, toy, out, **settings):
    return run_pipeline(
        str(repo_root / CONFIG),
        'random',
        toy / 'train',
        out,
        PipelineOptions(tile=64, stride=64, threshold=-0.2),
        cfg_options=SMALL,
        **settings,
    )


def test_a_run_is_complete_and_goes_on_where_it_stopped(repo_root, toy_spacenet7, tmp_path):
    summary = run(repo_root, toy_spacenet7, tmp_path)
    names = sorted(find_cubes(toy_spacenet7 / 'train'))
    assert summary['aois'] == names
    assert set(summary['scot']['per_aoi']) == set(names)
    assert json.loads((tmp_path / 'summary.json').read_text())['aois'] == names
    assert set(read_submission(tmp_path / 'submission.csv')) == set(names)
    first, second = (tmp_path / name / 'done.json' for name in names)
    kept = first.stat().st_mtime_ns
    second.unlink()
    again = run(repo_root, toy_spacenet7, tmp_path)
    assert first.stat().st_mtime_ns == kept
    assert second.is_file()
    assert set(again['buildings']) == set(names)


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_do_what_one_does(repo_root, toy_spacenet7, tmp_path):
    # A constant map, whatever the random weights: every usable pixel is building.
    options = PipelineOptions(tile=64, stride=64, threshold=-50.0)
    texts = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        run_pipeline(
            str(repo_root / CONFIG), 'random', toy_spacenet7 / 'train', out, options,
            processes=processes, cfg_options=SMALL,
        )  # fmt: skip
        texts.append((out / 'submission.csv').read_text())
    assert texts[0] == texts[1]


def test_pictures_and_page(toy_spacenet7, tmp_path):
    truth = toy_spacenet7 / 'csvs' / 'sn7_train_ground_truth_pix.csv'
    paths = write_figures(toy_spacenet7 / 'train', truth, tmp_path / 'figures', truth=truth)
    assert [path.name for path in paths] == ['panels.png', 'ids.gif', 'growth.png', 'months.html']
    assert all(path.stat().st_size > 5000 for path in paths)
    with pytest.raises(ConfigError, match='no AOI L15-9'):
        write_figures(toy_spacenet7 / 'train', truth, tmp_path / 'figures', aoi='L15-9')
    # A folder of GeoJSON files is as good as the table.
    paths = write_figures(toy_spacenet7 / 'train', toy_spacenet7 / 'train', tmp_path / 'folder')
    table = (tmp_path / 'figures' / 'months.html').read_text()
    assert paths[3].read_text() == table


def call(repo_root, monkeypatch, capsys, tool, *arguments):
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(repo_root / tool), run_name='__main__')
    return stopped.value.code, capsys.readouterr()


def test_the_scoring_tool(repo_root, toy_spacenet7, tmp_path, monkeypatch, capsys):
    truth = toy_spacenet7 / 'csvs' / 'sn7_train_ground_truth_pix.csv'
    tool = 'tools/analysis_tools/scot.py'
    out = tmp_path / 'scot.json'
    code, printed = call(repo_root, monkeypatch, capsys, tool, truth, truth, '--out', out)
    assert not code
    assert 'MOTA' in printed.out
    whole = json.loads(out.read_text())['score']
    assert 0.95 < whole <= 1  # proposals below the area limit of the truth count as false
    folder = next((toy_spacenet7 / 'train').iterdir()) / 'labels_match_pix'
    code, printed = call(repo_root, monkeypatch, capsys, tool, truth, folder, '--out', out)
    assert not code
    assert 0.4 < json.loads(out.read_text())['score'] < 0.51  # one of two AOIs
    bad = tmp_path / 'bad.csv'
    bad.write_text('filename,geometry\n')
    code, printed = call(repo_root, monkeypatch, capsys, tool, truth, bad)
    assert code == 1
    assert 'column id is missing' in printed.err
