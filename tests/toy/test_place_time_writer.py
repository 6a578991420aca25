"""ToyEarth chips whose classes depend on place and season, and test sets where they do not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from rsmm.datasets.image_table import ImageTable
from rsmm.errors import DataError
from rsmm.toy.writers.eurosat import CLASSES, SITE_COLUMNS
from rsmm.toy.writers.place_time import SPLITS, class_shares, write_place_time


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp('place-time')
    assert write_place_time(root, train=24, test=12)
    assert not write_place_time(root, train=24, test=12)
    return root


def test_every_split_is_where_and_when_it_says(written) -> None:
    places = {}
    for split in SPLITS:
        data = ImageTable(data_root=str(written), table='table.csv', split=split)
        rows = data.load_data_list()
        assert len(rows) == (24 if split == 'train' else 12)
        places[split] = {(row['latitude'], row['longitude']) for row in rows}
        days = [row['day_of_year'] for row in rows]
        low, high = (268, 328) if split == 'season' else (79, 229)
        assert low <= min(days)
        assert max(days) <= high
    west = max(
        longitude for split in SPLITS if split != 'elsewhere' for _, longitude in places[split]
    )
    assert west < min(longitude for _, longitude in places['elsewhere'])
    for split in SPLITS[1:]:
        assert not places['train'] & places[split]


def test_shares_depend_on_place_and_season_only_if_asked() -> None:
    spring, summer = dt.date(2017, 3, 25), dt.date(2017, 8, 10)
    here = class_shares(0, spring, 2.0)
    assert here.sum() == pytest.approx(1)
    assert here.max() > 3 * np.median(here)
    assert here.argmax() != class_shares(3, spring, 2.0).argmax()
    assert here.argmax() != class_shares(0, summer, 2.0).argmax()
    assert class_shares(0, spring, 0.0) == pytest.approx(np.full(len(CLASSES), 0.1))
    # Over the whole of the west all classes are alike common.
    mean = np.mean([class_shares(column, spring, 2.0) for column in range(6)], axis=0)
    assert mean == pytest.approx(np.full(len(CLASSES), 0.1), abs=0.03)
    assert SITE_COLUMNS > 6


@pytest.mark.parametrize('settings', [dict(train=3), dict(strength=-1.0)])
def test_settings_that_cannot_be(settings: dict, tmp_path) -> None:
    with pytest.raises(DataError, match='At least'):
        write_place_time(tmp_path / 'out', **settings)
