import json

import numpy as np
import pytest

from rsmm.datasets.packed import Pack, open_pack
from rsmm.datasets.packing import check_space, write_pack
from rsmm.errors import DataError, DataNotFoundError

BANDS = ('B02', 'B8A')


def results(shape, value, **extra):
    image = np.full((*shape, 2), value, np.uint16)
    image[..., 1] += 1
    return {'img': image, 'bands': BANDS, 'nodata': 0.0, 'crs': None, 'transform': None, **extra}


ITEMS = [
    results((4, 5), 10, crs='WKT-A', transform=(10.0, 0, 1, 0, -10, 2)),
    results((2, 3), 60000),
    results((4, 5), 30, crs='WKT-A', transform=(10.0, 0, 3, 0, -10, 4)),
]
NAMES = ['a/1.tif', 'a/2.tif', 'b/3.tif']


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / 'pack', NAMES, ITEMS.__getitem__)


def test_round_trip_of_mixed_sizes(pack):
    opened = Pack(pack)
    assert opened.names == NAMES
    assert len(opened) == 3
    for row, item in enumerate(ITEMS):
        image, found = opened.read(row)
        np.testing.assert_array_equal(image, item['img'])
        assert image.dtype == np.uint16
        assert found == {key: item[key] for key in ('bands', 'nodata', 'crs', 'transform')}
    image, found = opened.read(1, ('B8A',))
    assert found['bands'] == ('B8A',)
    assert image.shape == (2, 3, 1)
    assert (image == 60001).all()


def test_images_are_copies(pack):
    opened = open_pack(str(pack))
    for bands in (None, ('B02',)):
        image, _ = opened.read(0, bands)
        image += 1
    np.testing.assert_array_equal(opened.read(0)[0], ITEMS[0]['img'])


def test_existing_folders_are_left_alone(pack, tmp_path):
    before = sorted(path.read_bytes() for path in pack.iterdir())
    with pytest.raises(DataError, match='exists already'):
        write_pack(pack, NAMES[:1], ITEMS.__getitem__)
    assert sorted(path.read_bytes() for path in pack.iterdir()) == before
    other = tmp_path / 'photos'
    other.mkdir()
    (other / 'mine.txt').write_text('precious')
    with pytest.raises(DataError, match='exists already'):
        write_pack(other, NAMES, ITEMS.__getitem__, overwrite=True)
    assert (other / 'mine.txt').exists()
    assert len(open_pack(str(pack))) == 3
    write_pack(pack, NAMES[:1], ITEMS.__getitem__, overwrite=True)
    assert len(open_pack(str(pack))) == 1


def test_a_failure_leaves_nothing_behind(tmp_path):
    def load(row):
        if row == 2:
            raise DataError('broken', where=NAMES[row])
        return ITEMS[row]

    with pytest.raises(DataError, match='b/3.tif: broken'):
        write_pack(tmp_path / 'pack', NAMES, load)
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_kind(tmp_path):
    items = [ITEMS[0], {**ITEMS[1], 'img': ITEMS[1]['img'].astype(np.int16)}]
    with pytest.raises(DataError, match='differ from') as error:
        write_pack(tmp_path / 'pack', NAMES[:2], items.__getitem__)
    assert 'a/2.tif' in str(error.value)


def test_full_disk_is_noticed_before_writing(tmp_path):
    with pytest.raises(DataError, match='MiB needed'):
        check_space(tmp_path, 2**60)


def test_damaged_packs(pack, tmp_path):
    with pytest.raises(DataNotFoundError, match='pack_dataset'):
        Pack(tmp_path)
    images = pack / 'images.bin'
    raw = images.read_bytes()
    images.write_bytes(raw[:-4])
    with pytest.raises(DataError, match='expected 184 bytes, found 180'):
        Pack(pack)
    images.write_bytes(raw)
    about = json.loads((pack / 'pack.json').read_text())
    (pack / 'pack.json').write_text(json.dumps({**about, 'version': 99}))
    with pytest.raises(DataError, match='pack format 99'):
        Pack(pack)
