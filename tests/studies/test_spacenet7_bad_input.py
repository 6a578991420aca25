"""The chain against wrong arguments, odd months and stale folders: an error or a warning, never a
silent score."""

import json
import shutil

import numpy as np
import pytest
import rasterio
import shapely
import torch

from rsmm.apis.model import build_model
from rsmm.datasets.spacenet7 import find_cubes
from rsmm.errors import CheckpointError, ConfigError, DataError, DataNotFoundError
from rsmm.geo import parse_stem, read_submission, read_vector, write_submission, write_vector
from rsmm.inference.mapping import tile_predictor
from rsmm.studies import spacenet7
from rsmm.studies.spacenet7 import process_aoi, read_truth, run_pipeline
from rsmm.studies.spacenet7_options import PipelineOptions, make_options

CONFIG = 'configs/spacenet7/toy_xdxd-vgg16-small_60e_spacenet7.py'
SMALL = {'model.backbone.base_channels': 4, 'model.decode_head.base_channels': 4}
OPTIONS = PipelineOptions(tile=64, stride=64, threshold=-0.2)


@pytest.fixture
def run(repo_root, toy_spacenet7, tmp_path):
    def call(checkpoint='random', images=toy_spacenet7 / 'train', **settings):
        settings = {'cfg_options': SMALL, 'options': OPTIONS, **settings}
        return run_pipeline(
            str(repo_root / CONFIG), str(checkpoint), images, tmp_path / 'out', **settings
        )

    return call


def save_weights(repo_root, path, seed):
    torch.manual_seed(seed)
    model = build_model(str(repo_root / CONFIG), 'random', options=SMALL)
    torch.save({'state_dict': model.state_dict()}, path)
    return path


def finished(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob('done.json')}


def test_another_checkpoint_is_done_again(run, repo_root, tmp_path):
    first, second = (save_weights(repo_root, tmp_path / f'{k}.pth', k) for k in (1, 2))
    run(first)
    done = finished(tmp_path / 'out')
    assert len(done) == 2
    run(first)
    assert finished(tmp_path / 'out') == done
    first.rename(tmp_path / 'moved.pth')  # the weights count, not the name of their file
    run(tmp_path / 'moved.pth')
    assert finished(tmp_path / 'out') == done
    run(second)
    assert all(done[path] < time for path, time in finished(tmp_path / 'out').items())


def test_wrong_paths_and_weights_leave_nothing_behind(run, repo_root, tmp_path):
    weights = save_weights(repo_root, tmp_path / 'w.pth', 1)
    with pytest.raises(DataNotFoundError, match='no such folder'):
        run(images=tmp_path / 'nowhere')
    with pytest.raises(CheckpointError, match=r'no such checkpoint.*w\.pth'):
        run(tmp_path / 'v.pth')
    with pytest.raises(CheckpointError, match='does not fit the model'):
        run(weights, cfg_options={})
    with pytest.raises(DataNotFoundError, match='no such file'):
        run(truth=tmp_path / 'truth.csv')
    assert not (tmp_path / 'out').exists()


def test_other_models_and_devices_are_named(run, repo_root, toy_spacenet7, tmp_path):
    with pytest.raises(ConfigError, match="device 'gpu' cannot be used"):
        run(device='gpu')
    with pytest.raises(ConfigError, match='Linear makes no map'):
        tile_predictor(torch.nn.Linear(1, 1))
    shutil.copytree(toy_spacenet7 / 'train', tmp_path / 'train')
    frames = first_aoi(tmp_path / 'train')[1]
    frames[0].image.write_text('no image')
    with pytest.raises(DataError, match='cannot be read'):
        run(images=tmp_path / 'train')


def test_an_unfinished_folder_is_written_anew(run, toy_spacenet7, tmp_path):
    name = next(iter(find_cubes(toy_spacenet7 / 'train')))
    (tmp_path / 'out' / name / 'polygons').mkdir(parents=True)
    (tmp_path / 'out' / name / 'submission.csv').write_text('half a line')
    run()
    assert name in read_submission(tmp_path / 'out' / 'submission.csv')


@pytest.mark.parametrize('damage', ['no table', 'half a note', 'another image'])
def test_damaged_and_outdated_areas_are_done_again(run, toy_spacenet7, tmp_path, damage):
    images = tmp_path / 'train'
    shutil.copytree(toy_spacenet7 / 'train', images)
    run(images=images)
    before = finished(tmp_path / 'out')
    note, other = sorted(before)
    if damage == 'no table':
        (note.parent / 'submission.csv').unlink()
    elif damage == 'half a note':
        note.write_text('{"model": "')
    else:
        frames = find_cubes(images)[note.parent.name]
        shutil.copyfile(frames[1].image, frames[0].image)
    run(images=images)
    after = finished(tmp_path / 'out')
    assert after[note] > before[note]
    assert after[other] == before[other]


def test_truth_is_read_before_the_work(run, toy_spacenet7, tmp_path):
    (tmp_path / 'truth.csv').write_text('filename,id\n')
    with pytest.raises(DataError, match='column geometry is missing'):
        run(truth=tmp_path / 'truth.csv')
    with pytest.raises(DataError, match='no identities'):
        run(labels='labels')
    with pytest.raises(ConfigError, match='at least 1'):
        run(processes=0)
    assert not (tmp_path / 'out').exists()


def test_labels_without_identities_are_not_scored(toy_spacenet7, tmp_path):
    with pytest.raises(DataError, match='no identities'):
        read_truth(find_cubes(toy_spacenet7 / 'train', labels='labels'))
    folder = tmp_path / 'sn7'
    shutil.copytree(toy_spacenet7 / 'train', folder)
    (name, frames), *_ = find_cubes(folder, labels='labels_match_pix').items()
    shapes, columns, _ = read_vector(frames[0].label)
    for bad, message in ((None, 'no identities'), ('4b', "'4b' is no integer")):
        write_vector(frames[0].label, shapes, {'Id': [bad, *map(str, columns['Id'][1:])]})
        with pytest.raises(DataError, match=message):
            read_truth({name: frames})


def test_no_labels_no_score(run):
    assert 'scot' not in run(labels=None)


@pytest.mark.filterwarnings('ignore:SCOT')
def test_truth_without_images_is_left_out_with_a_warning(run, toy_spacenet7, tmp_path):
    truth = toy_spacenet7 / 'csvs' / 'sn7_train_ground_truth_pix.csv'
    names = sorted(find_cubes(toy_spacenet7 / 'train'))
    with pytest.warns(UserWarning, match='1 of the 2 AOIs of the truth have no images'):
        summary = run(images=toy_spacenet7 / 'train' / names[0], truth=truth)
    assert set(summary['scot']['per_aoi']) == {names[0]}


@pytest.mark.filterwarnings('ignore:the images')
def test_images_without_truth_are_counted(run, toy_spacenet7, tmp_path):
    truth = read_submission(toy_spacenet7 / 'csvs' / 'sn7_train_ground_truth_pix.csv')
    first, second = sorted(truth)
    del truth[second], truth[first]['2018_06']
    write_submission(tmp_path / 'truth.csv', truth)
    with pytest.warns(UserWarning, match=r'no truth for 1 AOIs and 1 months'):
        result = run(truth=tmp_path / 'truth.csv')['scot']
    assert result['ignored']['aois'] == [second]
    assert result['ignored']['months'] == [f'{first}/2018_06']


def first_aoi(folder):
    return next(iter(find_cubes(folder).items()))


@pytest.mark.parametrize('change', ['crs', 'transform'])
def test_months_that_lie_elsewhere_are_refused(toy_spacenet7, tmp_path, change):
    shutil.copytree(toy_spacenet7 / 'train', tmp_path / 'train')
    name, frames = first_aoi(tmp_path / 'train')
    with rasterio.open(frames[2].image, 'r+') as image:
        if change == 'crs':
            image.crs = 'EPSG:32633'
        else:
            image.transform = image.transform @ rasterio.Affine.translation(3, 0)
    with pytest.raises(DataError, match='lies elsewhere') as caught:
        process_aoi(name, frames, lambda t: t[..., :1] - 99.0, tmp_path / 'out', OPTIONS)
    assert frames[2].image.name in str(caught.value)


@pytest.mark.parametrize('empty', [0, 2, 5])
def test_a_month_without_buildings_anywhere(toy_spacenet7, tmp_path, empty):
    name, frames = first_aoi(toy_spacenet7 / 'train')
    calls = iter(range(len(frames)))

    def predict(tiles):
        logits = np.full((*tiles.shape[:3], 1), -9.0)
        logits[:, 20:30, 20:30] = -9.0 if next(calls) == empty else 9.0
        return logits

    options = PipelineOptions(tile=64, stride=64)
    cube = process_aoi(name, frames, predict, tmp_path, options)
    assert [len(cube[frame.month]) for frame in frames].count(0) >= 1
    assert {k for rows in cube.values() for k, _ in rows} == {0}
    stem = frames[empty].stem
    assert f'{stem},-1,"POLYGON EMPTY"' in (tmp_path / name / 'submission.csv').read_text()
    shapes, _, _ = read_vector(tmp_path / name / 'polygons' / f'{stem}.geojson')
    assert len(shapes) == 0


def test_masks_have_the_threshold_of_the_polygons(toy_spacenet7, tmp_path):
    name, frames = first_aoi(toy_spacenet7 / 'train')

    def predict(tiles):
        logits = np.full((*tiles.shape[:3], 1), 1.0)
        logits[:, 20:30, 20:30] = 3.0
        return logits

    options = PipelineOptions(tile=64, stride=64, threshold=2.0)
    process_aoi(name, frames[:1], predict, tmp_path, options)
    with rasterio.open(tmp_path / name / 'masks' / f'{frames[0].stem}.tif') as source:
        mask = source.read(1)
    shapes, columns, _ = read_vector(tmp_path / name / 'polygons' / f'{frames[0].stem}.geojson')
    assert (mask > 0).sum() == sum(columns['area'])
    assert len(shapes) <= 1


def test_paths_are_built_from_stems(toy_spacenet7, tmp_path):
    folder = tmp_path / 'labels_match' / 'x_Buildings' / 'images'
    shutil.copytree(toy_spacenet7 / 'train', folder)
    frames = next(iter(find_cubes(folder).values()))
    assert all(frame.label.parent.name == 'labels_match' for frame in frames)
    assert all(parse_stem(frame.label.name)[1] == frame.month for frame in frames)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'watershed': 0.7}, 'two probabilities'),
        ({'watershed': (0.3, 0.7)}, 'two probabilities'),
        ({'master': 'newest'}, 'first, latest, median'),
        ({'merge': 'max'}, 'mean, linear'),
        ({'stride': 600}, '0 < stride <= tile'),
        ({'min_iou': 20}, 'from 0 to 1'),
        ({'min_iou': 'x'}, 'from 0 to 1'),
        ({'threshold': float('nan')}, 'a number from'),
        ({'min_area': -4}, 'from 0'),
        ({'simplify': -1}, 'from 0'),
        ({'batch_size': 0}, 'a whole number from 1'),
        ({'look_ahead': 1.5}, 'a whole number from 0'),
        ({'collapse': 3}, 'collapse.floor=0'),
        ({'collapse.floor': 'x'}, "collapse.floor='x'"),
        ({'collapse.flor': 0}, "'collapse.flor'. Did you mean 'floor'"),
        ({'colapse.floor': 0}, "'colapse.floor'"),
    ],
)
def test_options_fail_before_the_work(settings, message):
    with pytest.raises(ConfigError) as caught:
        make_options(settings)
    assert message in str(caught.value)


def test_thresholds_of_the_collapse_by_dots():
    options = make_options({'mode': 'collapse', 'collapse.floor': 0.0, 'watershed': [0.7, 0.3]})
    assert options.rule.floor == 0
    assert json.loads(json.dumps(options.to_dict())) == options.to_dict()


def test_the_network_runs_without_gradients(toy_spacenet7, tmp_path, repo_root, monkeypatch):
    seen = []
    model = build_model(str(repo_root / CONFIG), 'random', options=SMALL)
    network = model.logits
    model.logits = lambda images: (seen.append(torch.is_inference_mode_enabled()), network(images))[
        1
    ]
    monkeypatch.setattr(spacenet7, 'build_model', lambda *args, **kwargs: model)
    run_pipeline(
        str(repo_root / CONFIG), 'random', toy_spacenet7 / 'train', tmp_path, OPTIONS,
        cfg_options=SMALL,
    )  # fmt: skip
    assert len(seen) == 11
    assert all(seen)


def test_a_geometry_collection_names_its_row(toy_spacenet7, tmp_path):
    shutil.copytree(toy_spacenet7 / 'train', tmp_path / 'train')
    (name, frames), *_ = find_cubes(tmp_path / 'train', labels='labels_match_pix').items()
    mixed = shapely.GeometryCollection([shapely.box(0, 0, 4, 4), shapely.Point(1, 1)])
    frames[1].label.write_text(
        json.dumps(
            {
                'type': 'FeatureCollection',
                'features': [
                    {
                        'type': 'Feature',
                        'properties': {'Id': 1},
                        'geometry': json.loads(shapely.to_geojson(mixed)),
                    }
                ],
            }
        )
    )
    with pytest.raises(DataError, match='geometry 0 is a GeometryCollection') as caught:
        read_truth({name: frames})
    assert frames[1].label.name in str(caught.value)
