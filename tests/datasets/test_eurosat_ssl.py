"""EuroSAT for semi-supervised learning: the published draw from the names, draws by seed."""

from __future__ import annotations

import pandas as pd
import pytest

from rsmm.datasets.classes import CLASSES
from rsmm.datasets.eurosat_ssl import EuroSATSSL, published_labels
from rsmm.datasets.label_draws import lexicographic_split, reference_draw, stratified_draw
from rsmm.datasets.metadata import read_places
from rsmm.errors import ConfigError, DataError

SIZES = dict(
    AnnualCrop=3000, Forest=3000, HerbaceousVegetation=3000, Highway=2500, Industrial=2500,
    Pasture=2000, PermanentCrop=2500, Residential=3000, River=2500, SeaLake=3000,
)  # fmt: skip
#: Numbers of the labelled chips of 20, class by class; the 10 of seed 0 are the first of each pair.
DRAWN = {
    0: (2214, 275, 1721, 2876, 226, 1571, 1355, 1995, 1210, 471, 1460, 1527, 2374, 1896, 2117, 2795,
        1191, 1875, 1053, 2652),
    1: (1151, 2694, 2023, 2389, 1794, 1434, 2148, 2463, 1, 2229, 1511, 1361, 1066, 2349, 1334, 1243,
        2102, 2216, 125, 1429),
}  # fmt: skip


@pytest.fixture(scope='module')
def labels() -> dict[str, int]:
    names = [f'{name}_{i}' for name, count in SIZES.items() for i in range(1, count + 1)]
    return published_labels(names)


def expected(seed: int, per_class: int) -> list[str]:
    pairs = zip(CLASSES['eurosat'], DRAWN[seed][::2], DRAWN[seed][1::2], strict=True)
    return [f'{name}_{number}' for name, *pair in pairs for number in pair[:per_class]]


def test_published_split_from_the_names(labels: dict) -> None:
    split = lexicographic_split(labels, labels)
    assert (len(split['train']), len(split['test'])) == (21600, 5400)
    for name, size in SIZES.items():
        test = [stem for stem in split['test'] if stem.startswith(name)]
        assert test[0] == f'{name}_{ {3000: 459, 2500: 549, 2000: 639}[size] }'
        assert test[-1] == f'{name}_999'
        assert next(stem for stem in split['train'] if stem.startswith(name)) == f'{name}_1'


@pytest.mark.parametrize(('seed', 'count'), [(0, 20), (1, 20), (0, 10)])
def test_published_labelled_chips(seed: int, count: int, labels: dict) -> None:
    train = lexicographic_split(labels, labels)['train']
    assert reference_draw(train, labels, count, seed) == expected(seed, count // 10)


def test_published_draw_takes_multiples_of_ten(labels: dict) -> None:
    with pytest.raises(ConfigError, match='cannot be shared out'):
        reference_draw(lexicographic_split(labels, labels)['train'], labels, 25)


def test_stratified_draws_are_nested_and_seeded(labels: dict) -> None:
    ten, forty, other = (stratified_draw(labels, n, s) for n, s in ((10, 0), (40, 0), (40, 1)))
    assert ten < forty != other
    for draw in (forty, other):
        assert sorted(labels[stem] for stem in draw) == sorted(list(range(10)) * 4)
    uneven = stratified_draw(labels, 13, 0)
    assert len(uneven) == 13
    assert {labels[stem] for stem in uneven} == set(range(10))


@pytest.mark.parametrize(('count', 'message'), [(9, '9 labels for 10'), (99999, 'has')])
def test_draws_that_cannot_be(count: int, message: str, labels: dict) -> None:
    with pytest.raises(ConfigError, match=message):
        stratified_draw(labels, count)


def test_parts_of_a_split(tiny_eurosat) -> None:
    settings = dict(data_root=str(tiny_eurosat), num_labels=6, split='train')
    labelled = EuroSATSSL(subset='labelled', **settings)
    pool = EuroSATSSL(subset='unlabelled', **settings)
    rest = EuroSATSSL(subset='unlabelled', include_labelled=False, **settings)
    whole = EuroSATSSL(**settings)
    names = [{i['img_path'] for i in d.load_data_list()} for d in (labelled, pool, rest, whole)]
    assert [len(part) for part in names] == [6, 18, 12, 18]
    assert names[1] == names[3] == names[0] | names[2]
    info = labelled.get_data_info(0)
    assert (info['latitude'], info['longitude'], info['day_of_year']) == (None, None, None)
    dated = EuroSATSSL(subset='labelled', date='2000-01-01', **settings)
    assert dated.get_data_info(0)['day_of_year'] == 1


def write_table(root, stems, path='places.csv') -> str:
    table = pd.DataFrame(
        {'image_id': stems, 'lat': 48.5, 'lon': [float(i) for i in range(len(stems))]}
    )
    table.to_csv(root / path, index=False)
    return str(root / path)


def test_published_lists_on_an_incomplete_folder(tiny_eurosat) -> None:
    """The draw follows from all names; chips that are not on disk are missed, not replaced."""
    stems = [f'{name}_{i}' for name in CLASSES['eurosat'] for i in range(1, 13)]
    table = write_table(tiny_eurosat, stems)
    settings = dict(
        data_root=str(tiny_eurosat), num_labels=20, metadata=table, draw='reference',
        subset='labelled',
    )  # fmt: skip
    with pytest.raises(DataError, match='chips of the published list are absent'):
        EuroSATSSL(**settings)
    found = EuroSATSSL(missing='skip', **settings)
    labels = published_labels(stems)
    drawn = reference_draw(lexicographic_split(stems, labels)['train'], labels, 20)
    on_disk = {path.stem for path in (tiny_eurosat / '2750').rglob('*.jpg')}
    paths = {info['img_path'].rsplit('/', 1)[-1][:-4] for info in found.load_data_list()}
    assert paths == set(drawn) & on_disk
    assert 0 < len(paths) < 20
    assert found.get_data_info(0)['longitude'] == stems.index(
        found.get_data_info(0)['img_path'].rsplit('/', 1)[-1][:-4]
    )
    test = EuroSATSSL(**{**settings, 'split': 'test', 'subset': 'all', 'missing': 'skip'})
    assert {info['img_path'].rsplit('/', 1)[-1][:-4] for info in test.load_data_list()} == (
        set(lexicographic_split(stems, labels)['test']) & on_disk
    )


@pytest.mark.parametrize(
    'settings', [dict(subset='labeled'), dict(draw='reference'), dict(missing='ignore')]
)
def test_settings_that_do_not_exist(settings: dict, tiny_eurosat) -> None:
    with pytest.raises(ConfigError, match='EuroSATSSL'):
        EuroSATSSL(data_root=str(tiny_eurosat), **settings)


@pytest.mark.realdata
def test_published_draw_on_the_real_table_and_chips(real_data) -> None:
    table = real_data / 'eurosat' / 'eurosat_metadata.parquet'
    labels = published_labels(read_places(table))
    train = lexicographic_split(labels, labels)['train']
    for seed in DRAWN:
        assert reference_draw(train, labels, 20, seed) == expected(seed, 2)
        data = EuroSATSSL(
            data_root=str(real_data / 'eurosat'), metadata=str(table), draw='reference',
            subset='labelled', num_labels=20, label_seed=seed, missing='skip',
        )  # fmt: skip
        there = {info['img_path'].rsplit('/', 1)[-1][:-4] for info in data.load_data_list()}
        on_disk = {p.stem for p in (real_data / 'eurosat' / '2750').rglob('*.jpg')}
        assert there == set(expected(seed, 2)) & on_disk
        assert len(there) > 10
