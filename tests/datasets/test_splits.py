import random
from collections import Counter

import pytest

from rsmm.datasets.splits import (
    grid_cells,
    label_fraction,
    listed_split,
    rank,
    read_name_list,
    spatial_split,
    stratified_split,
)
from rsmm.errors import ConfigError, DataError, DataNotFoundError

#: Sizes of the ten classes in the 21,600 chips.
SIZES = (2400, 2400, 2400, 2000, 2000, 1600, 2000, 2400, 2000, 2400)


@pytest.fixture(scope='module')
def labels():
    return {f'c{label}_{n}': label for label, size in enumerate(SIZES) for n in range(size)}


def test_stratified_sizes_are_those_of_the_published_protocol(labels):
    train = stratified_split(labels, (0.75, 0.25), 'train')
    val = stratified_split(labels, (0.75, 0.25), 'val')
    assert (len(train), len(val)) == (16200, 5400)
    assert not train & val
    per_class = Counter(labels[name] for name in val)
    assert [per_class[label] for label in range(10)] == [size // 4 for size in SIZES]


def test_three_way_split_is_a_partition(labels):
    parts = [stratified_split(labels, (0.6, 0.2, 0.2), split) for split in ('train', 'val', 'test')]
    assert sum(map(len, parts)) == len(labels)
    assert set.union(*parts) == set(labels)


def test_split_ignores_the_order_of_files(labels):
    names = list(labels)
    random.Random(3).shuffle(names)
    shuffled = {name: labels[name] for name in names}
    for split in ('train', 'val'):
        assert stratified_split(shuffled, (0.75, 0.25), split) == stratified_split(
            labels, (0.75, 0.25), split
        )
    assert label_fraction(shuffled, 0.1) == label_fraction(labels, 0.1)


def test_ranking_is_fixed_for_good():
    # A change of these orders would silently change every published number.
    assert rank(['a', 'b', 'c', 'd', 'e'], 0) == ['b', 'c', 'd', 'a', 'e']
    assert rank(['e', 'c', 'a', 'b', 'd'], 1) == ['b', 'c', 'a', 'd', 'e']


def test_seeds_differ(labels):
    assert stratified_split(labels, (0.5, 0.5), 'val', 0) != stratified_split(
        labels, (0.5, 0.5), 'val', 1
    )


def test_label_fractions_are_nested_and_per_class(labels):
    small, large = label_fraction(labels, 0.01), label_fraction(labels, 0.1)
    assert small < large
    assert Counter(labels[name] for name in small)[5] == 16
    tiny = label_fraction(labels, 1e-9)
    assert sorted(labels[name] for name in tiny) == list(range(10))


def test_label_fraction_is_independent_of_the_split(labels):
    # With one salt for both, a label fraction of the train split would always take its head.
    train = stratified_split(labels, (0.5, 0.5), 'train')
    kept = label_fraction(labels, 0.5)
    assert 0.4 < len(train & kept) / len(kept) < 0.6


@pytest.mark.parametrize('fraction', [0, -0.1, 1.5])
def test_label_fraction_out_of_range(fraction):
    with pytest.raises(ConfigError, match='label_fraction'):
        label_fraction({'a': 0}, fraction)


@pytest.mark.parametrize('fractions', [(0.5, 0.6), (1.0,), (0.5, 0.5, 0.5), (1.2, -0.2)])
def test_bad_fractions(fractions):
    with pytest.raises(ConfigError, match='sum 1'):
        stratified_split({'a': 0}, fractions, 'train')


def test_no_share_for_test():
    with pytest.raises(ConfigError, match='leave nothing') as caught:
        stratified_split({'a': 0}, (0.75, 0.25), 'test')
    assert 'fractions=(0.6, 0.2, 0.2)' in str(caught.value)


def test_spatial_split_shares_no_cell(labels):
    rng = random.Random(0)
    places = {name: (rng.uniform(-60, 60), rng.uniform(-170, 170)) for name in labels}
    parts = [
        spatial_split(places, labels, (0.6, 0.2, 0.2), split, cell_size=5)
        for split in ('train', 'val', 'test')
    ]
    assert set.union(*parts) == set(labels)
    assert sum(map(len, parts)) == len(labels)
    cells = [set(grid_cells({n: places[n] for n in part}, 5)) for part in parts]
    assert not cells[0] & cells[1]
    assert not cells[0] & cells[2]
    assert not cells[1] & cells[2]
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert len(part) / len(labels) == pytest.approx(share, abs=0.01)


def test_grid_cells_do_not_fold_at_zero():
    # Truncation instead of flooring would merge the cells on both sides of equator and Greenwich.
    cells = grid_cells({'ne': (0.1, 0.1), 'nw': (0.1, -0.1), 'sw': (-0.1, -0.1)}, 0.25)
    assert len(cells) == 3


def test_cell_size_must_be_positive():
    with pytest.raises(ConfigError, match='cell_size'):
        grid_cells({'a': (0, 0)}, 0)


@pytest.mark.parametrize(
    'text',
    [
        'River_9.jpg\nForest_1.jpg\n',
        'River_9.tif\r\nForest_1.tif\r\n',
        '# a comment\n\nRiver_9\nForest_1',
        'River/River_9.jpg\n2750/Forest/Forest_1.jpg\n',
        '\ufeffRiver\\River_9.jpg\nForest_1.jpeg',
    ],
)
def test_list_files(tmp_path, text):
    path = tmp_path / 'val.txt'
    path.write_bytes(text.encode())
    assert read_name_list(path) == ['River_9', 'Forest_1']
    assert listed_split(path, ['Forest_1', 'River_9', 'River_10']) == {'River_9', 'Forest_1'}


def test_list_names_absent_files(tmp_path):
    path = tmp_path / 'val.txt'
    path.write_text('River_9.jpg\nRiver_8.jpg\nRiver_7.jpg\n')
    with pytest.raises(
        DataError, match='2 of 3 listed files are absent: River_8, River_7'
    ) as error:
        listed_split(path, ['River_9'])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(('text', 'message'), [('', 'names nothing'), ('a.jpg\na.tif\n', 'twice')])
def test_bad_lists(tmp_path, text, message):
    path = tmp_path / 'val.txt'
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_name_list(path)


def test_missing_list(tmp_path):
    with pytest.raises(DataNotFoundError, match='no such split list'):
        read_name_list(tmp_path / 'val.txt')
