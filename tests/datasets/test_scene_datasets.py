"""SeCo and CACo archives: reading, drawing dates, splitting, packing and what can be wrong."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmm.datasets.caco import CACoDataset
from rsmm.datasets.date_rules import date_rule
from rsmm.datasets.packing import pack_scenes
from rsmm.datasets.scene_shards import SceneShards, open_shards, shard_path
from rsmm.datasets.scenes import scene_date
from rsmm.datasets.seco import SeCoDataset, place_fraction
from rsmm.datasets.transforms.scenes import LoadScenes
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.sensors import RGB, band_order
from tests.datasets.archives import DAYS, OLD_DAYS, product, write_archive, write_scene


@pytest.fixture(scope='module')
def seco_root(tmp_path_factory) -> Path:
    return write_archive(tmp_path_factory.mktemp('seco'))


@pytest.fixture(scope='module')
def caco_root(tmp_path_factory) -> Path:
    return write_archive(tmp_path_factory.mktemp('caco'), places=4, days=OLD_DAYS + DAYS)


@pytest.fixture
def archive(tmp_path) -> Path:
    return write_archive(tmp_path / 'archive', places=2)


def pipeline(mode: str, size: int = 24) -> list[dict]:
    return [dict(type='SampleDates', mode=mode), dict(type='LoadScenes', size=size)]


def build(cls, root, **kwargs):
    from mmengine.registry import DefaultScope

    DefaultScope.get_instance('scene-datasets', scope_name='rsmm')
    return cls(data_root=str(root), **kwargs)


def test_dates_come_from_product_ids() -> None:
    assert scene_date('20200713T075609_20200713T081050_T36QZH') == '2020-07-13'
    assert scene_date('20201340T075609') is None
    assert scene_date('20190229T075609') is None
    assert scene_date('previews') is None


def test_samples_per_mode(seco_root) -> None:
    assert len(build(SeCoDataset, seco_root, mode='seco')) == 3
    assert len(build(SeCoDataset, seco_root, mode='moco_tp')) == 3
    per_image = build(SeCoDataset, seco_root, mode='moco')
    assert len(per_image) == 15
    info = per_image.get_data_info(7)
    assert (info['place'], info['anchor'], info['sample_idx']) == ('000001', 2, 7)
    assert [scene['date'] for scene in info['scenes']] == sorted(scene_date(d) for d in DAYS)


def test_bands_are_read_by_name_and_brought_to_one_grid(seco_root) -> None:
    bands = ('B8A', 'B04', 'B01')
    data = build(SeCoDataset, seco_root, mode='moco', bands=bands, pipeline=pipeline('moco'))
    results = data[0]
    assert results['img'][0].shape == (24, 24, 3)
    folder = Path(results['scenes'][0]['folder'])
    with rasterio.open(folder / 'B4.tif') as file:
        np.testing.assert_array_equal(results['img'][0][..., 1], file.read(1))
    with rasterio.open(folder / 'B1.tif') as file:
        coarse = file.read(1)
    assert coarse.shape == (4, 4)
    assert abs(results['img'][0][..., 2].mean() - coarse.mean()) < 6


def test_periods_of_caco(caco_root) -> None:
    data = build(CACoDataset, caco_root, mode='caco')
    assert len(data) == 8
    old, new = data.get_data_info(2), data.get_data_info(3)
    assert old['place'] == new['place'] == '000001'
    assert (old['period'], new['period']) == ('old', 'new')
    assert [scene['date'] for scene in old['scenes']] == [scene_date(day) for day in OLD_DAYS]
    assert [scene['date'] for scene in new['scenes']] == [scene_date(day) for day in DAYS]
    assert (old['sample_idx'], new['sample_idx']) == (2, 3)
    # Other methods use all ten dates of a place.
    assert len(build(CACoDataset, caco_root, mode='saco')) == 40


@pytest.mark.parametrize('mode', ['moco', 'moco_tp', 'seco', 'caco', 'saco'])
def test_drawing_rules(mode: str) -> None:
    np.random.seed(0)
    draws = [date_rule(mode).draw(DAYS, anchor=2) for _ in range(600)]
    distinct = Counter(len(set(draw)) for draw in draws)
    if mode == 'moco':
        assert set(draws) == {(2,)}
    elif mode == 'moco_tp':
        assert distinct == {2: 600}
        assert len(set(draws)) == 20
    elif mode == 'seco':
        assert set(distinct) == {1, 2, 3}  # with replacement
        assert abs(distinct[3] / 600 - 0.48) < 0.08
    elif mode == 'caco':
        assert distinct == {3: 600}
        assert len(set(draws)) == 60
    else:
        assert distinct == {2: 600}
        assert {draw[1] for draw in draws} == {0, 1, 3, 4}


def test_splits_share_no_place(tmp_path) -> None:
    root = write_archive(tmp_path / 'many', places=12, days=DAYS[:2])
    parts = {
        split: {
            build(SeCoDataset, root, mode='moco', split=split, val_fraction=0.4).get_data_info(i)[
                'place'
            ]
            for i in range(2)
        }
        for split in ('train', 'val')
    }
    whole = build(SeCoDataset, root, mode='moco_tp')
    sizes = [
        len(build(SeCoDataset, root, mode='moco_tp', split=split, val_fraction=0.4))
        for split in ('train', 'val')
    ]
    assert sum(sizes) == len(whole) == 12
    assert min(sizes) > 0
    assert not parts['train'] & parts['val']


def test_split_of_a_place_does_not_depend_on_the_others() -> None:
    fractions = np.array([place_fraction(f'{i:06d}') for i in range(5000)])
    assert abs((fractions < 0.3).mean() - 0.3) < 0.02


def test_a_date_drawn_twice_is_read_once(seco_root, monkeypatch) -> None:
    data = build(SeCoDataset, seco_root, mode='seco')
    load, calls = LoadScenes(size=24), []
    read = load.read
    monkeypatch.setattr(load, 'read', lambda *a: calls.append(a) or read(*a))
    info = data.get_data_info(0)
    info['scenes'] = [info['scenes'][i] for i in (1, 1, 3)]
    images = load(info)['img']
    assert len(calls) == 2
    assert images[0] is images[1]


# --- bad input ----------------------------------------------------------------------------------


def one_date(root: Path) -> None:
    for day in DAYS[1:]:
        shutil.rmtree(root / '000001' / product(day))


BAD = {
    'missing band': (
        lambda root: (root / '000001' / product(DAYS[0]) / 'B4.tif').unlink(),
        r'band B04 is missing',
        'dates with a missing band',
    ),
    'two products of a day': (
        lambda root: write_scene(root / '000001' / product(DAYS[0], 'T36QZJ'), seed=9),
        r'T36QZJ: .*T36QZH is of the same day',
        'second products of one date',
    ),
    'no date': (
        lambda root: (root / '000001' / 'extra').mkdir(),
        r'extra: the name does not start with a day',
        'folders without a date',
    ),
    'one date': (
        one_date,
        r"'moco_tp' draws 2 dates, the place has 1",
        'places with too few dates',
    ),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_folders_are_errors_or_counted(archive, case: str) -> None:
    spoil, message, kind = BAD[case]
    spoil(archive)
    with pytest.raises(DataError, match=message) as caught:
        build(SeCoDataset, archive, mode='moco_tp')
    assert "on_bad='skip'" in str(caught.value)
    data = build(SeCoDataset, archive, mode='moco_tp', on_bad='skip')
    assert data.skipped == {kind: 1}
    assert len(data) == (1 if case == 'one date' else 2)
    if case == 'two products of a day':
        assert len(data.get_data_info(1)['scenes']) == 5


def test_fewer_dates_than_each_set_needs(seco_root) -> None:
    with pytest.raises(DataError, match='draws 3 dates from each of two sets .* has 5 dates'):
        build(CACoDataset, seco_root, mode='caco')


@pytest.mark.parametrize('lost', [0, 4, 5, 9])
def test_a_lost_date_does_not_move_another_into_the_other_set(caco_root, tmp_path, lost) -> None:
    root = tmp_path / 'archive'
    shutil.copytree(caco_root, root)
    days = OLD_DAYS + DAYS
    (root / '000001' / product(days[lost]) / 'B4.tif').unlink()
    data = build(CACoDataset, root, mode='caco', on_bad='skip')
    assert data.skipped == {'dates with a missing band': 1}
    for index, period in ((2, OLD_DAYS), (3, DAYS)):
        dates = [scene['date'] for scene in data.get_data_info(index)['scenes']]
        assert dates == [scene_date(day) for day in period if day != days[lost]]


def test_two_files_of_one_band_are_refused(archive) -> None:
    folder = archive / '000001' / product(DAYS[0])
    shutil.copy(folder / 'B4.tif', folder / 'B04.tif')
    with pytest.raises(DataError, match='of the same band'):
        build(SeCoDataset, archive)


def test_bands_missing_from_the_archive_are_not_wanted_bands(archive) -> None:
    for path in archive.glob('*/*/B9.tif'):
        path.unlink()
    assert len(build(SeCoDataset, archive, mode='seco', bands=RGB)) == 2
    with pytest.raises(DataError, match='band B09 is missing'):
        build(SeCoDataset, archive, mode='seco', bands='seco')


def test_mixed_dtypes_are_refused(archive) -> None:
    folder = archive / '000000' / product(DAYS[1])
    shutil.rmtree(folder)
    write_scene(folder, seed=1, dtype='uint16')
    data = build(SeCoDataset, archive, mode='moco_tp')
    info = data.get_data_info(0)
    with pytest.raises(DataError, match='uint8.*uint16'):
        LoadScenes(size=24)(info)
    with pytest.raises(DataError, match='uint8 and uint16 differ in scale'):
        pack_scenes(data, archive.parent / 'packed', size=24)


def test_places_of_another_dtype_are_refused(archive) -> None:
    """A whole place of digital numbers among places of bytes: no sample by itself looks wrong."""
    for day in DAYS:
        shutil.rmtree(archive / '000001' / product(day))
        write_scene(archive / '000001' / product(day), seed=1, dtype='uint16')
    data = build(SeCoDataset, archive, mode='moco_tp', pipeline=pipeline('moco_tp'))
    data[0]
    with pytest.raises(DataError, match='000001.*uint16.*first scene of the archive uint8'):
        data[1]


def test_cut_off_file_is_named(archive) -> None:
    path = archive / '000000' / product(DAYS[0]) / 'B4.tif'
    path.write_bytes(path.read_bytes()[:200])
    data = build(SeCoDataset, archive, mode='moco', pipeline=pipeline('moco'))
    with pytest.raises(DataError, match=r'B4\.tif'):
        data[0]


def test_unknown_settings(seco_root, tmp_path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'moco_tp'"):
        build(SeCoDataset, seco_root, mode='moco-tp')
    with pytest.raises(ConfigError, match='old and a new set of dates.*Use CACoDataset'):
        build(SeCoDataset, seco_root, mode='caco')
    (tmp_path / 'junk').mkdir()
    with pytest.raises(DataNotFoundError, match='<place>/<product id>/<band>.tif'):
        build(SeCoDataset, tmp_path)


# --- packing ------------------------------------------------------------------------------------


def test_packed_samples_equal_those_from_files(caco_root, tmp_path) -> None:
    bands = band_order('seco')
    out = tmp_path / 'packed'
    files = build(CACoDataset, caco_root, mode='saco', bands=bands, pipeline=pipeline('saco', 16))
    assert pack_scenes(files, out, size=16, scenes_per_shard=7) == 6
    packed = build(
        CACoDataset, '', mode='saco', bands=bands, packed=str(out), pipeline=pipeline('saco', 16)
    )
    assert len(packed) == len(files) == 40
    for index in (0, 13, 39):
        results = []
        for data in (files, packed):
            np.random.seed(index)
            results.append(data[index])
        assert results[0]['dates'] == results[1]['dates']
        for one, other in zip(results[0]['img'], results[1]['img'], strict=True):
            assert one.dtype == other.dtype == np.uint8
            np.testing.assert_array_equal(one, other)
    # Fewer bands from the same pack, in another order.
    rgb = build(CACoDataset, '', bands=RGB, packed=str(out), pipeline=pipeline('caco', 16))
    assert rgb[1]['img'][0].shape == (16, 16, 3)


def test_packing_goes_on_where_it_stopped(seco_root, tmp_path) -> None:
    out = tmp_path / 'packed'
    data = build(SeCoDataset, seco_root, mode='moco', bands=RGB)
    assert pack_scenes(data, out, size=12, scenes_per_shard=4) == 4
    complete = [shard_path(out, number).read_bytes() for number in range(4)]
    shard_path(out, 1).unlink()
    shard_path(out, 3).write_bytes(complete[3][:-1])
    with pytest.raises(DataError, match=r'shard-00001\.bin: expected 1728 bytes, found 0'):
        SceneShards(out)
    assert pack_scenes(data, out, size=12, scenes_per_shard=4) == 2
    assert [shard_path(out, number).read_bytes() for number in range(4)] == complete
    assert len(open_shards(str(out))) == 15
    assert pack_scenes(data, out, size=12, scenes_per_shard=4) == 0
    with pytest.raises(DataError, match='another pack'):
        pack_scenes(data, out, size=24, scenes_per_shard=4)


def test_partly_written_shard_is_an_error(seco_root, tmp_path) -> None:
    out = tmp_path / 'packed'
    pack_scenes(build(SeCoDataset, seco_root, mode='moco'), out, size=12)
    path = shard_path(out, 0)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match='packing did not finish'):
        build(SeCoDataset, '', packed=str(out))


def test_cut_off_names_are_an_error(seco_root, tmp_path) -> None:
    out = tmp_path / 'packed'
    pack_scenes(build(SeCoDataset, seco_root, mode='moco'), out, size=12, scenes_per_shard=4)
    names = (out / 'names.txt').read_text()
    (out / 'names.txt').write_text(''.join(names.splitlines(keepends=True)[:8]))
    with pytest.raises(DataError, match='lists 8 scenes'):
        SceneShards(out)
    (out / 'names.txt').write_text(names[:-4])
    with pytest.raises(DataError, match='cut off'):
        SceneShards(out)


def test_pack_of_another_size_is_refused(seco_root, tmp_path) -> None:
    out = tmp_path / 'packed'
    pack_scenes(build(SeCoDataset, seco_root, mode='moco'), out, size=12)
    data = build(SeCoDataset, '', packed=str(out), pipeline=pipeline('seco', 24))
    with pytest.raises(DataError, match='packed at 12 pixels .* asks for 24'):
        data[0]
    with pytest.raises(DataError, match='B8A'):
        build(SeCoDataset, '', packed=str(out), bands=('B8A',))
