import pandas as pd
import pytest

from rsmm.datasets.metadata import read_places
from rsmm.errors import DataError, DataNotFoundError


def test_three_kinds_agree(tmp_path):
    table = pd.DataFrame({'image_id': ['River_9.tif'], 'lat': [48.5], 'lon': [-1.25]})
    table.to_parquet(tmp_path / 'm.parquet')
    table.to_csv(tmp_path / 'm.csv', index=False)
    (tmp_path / 'm.yaml').write_text('River_9: [-1.25, 48.5, 0]\n')
    for name in ('m.parquet', 'm.csv', 'm.yaml'):
        assert read_places(tmp_path / name) == {'River_9': (48.5, -1.25)}


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('m.csv', 'image_id,lat\na,1\n', 'no column lon'),
        ('m.csv', 'image_id,lat,lon\na,148,3\n', 'swapped'),
        ('m.yaml', '- a\n- b\n', 'expected a mapping'),
        ('m.json', '{}', 'unknown kind'),
    ],
)
def test_bad_tables(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read_places(tmp_path / name)
    assert name in str(error.value)


def test_missing_table(tmp_path):
    with pytest.raises(DataNotFoundError):
        read_places(tmp_path / 'm.csv')
