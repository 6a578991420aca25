import pickle

import pytest

from rsmm.errors import CheckpointError, DataError, DataNotFoundError, RsmmError, did_you_mean


def test_message_names_place_fault_and_mend():
    error = DataError('expected 13 bands, found 12', where='River_9.tif', fix='Select bands.')
    assert str(error) == 'River_9.tif: expected 13 bands, found 12. Select bands.'


@pytest.mark.parametrize('cls', [DataError, DataNotFoundError, CheckpointError])
def test_survives_pickling_between_processes(cls):
    error = pickle.loads(pickle.dumps(cls('broken', where='a.tif', fix='Mend it')))
    assert type(error) is cls
    assert (error.what, error.where, error.fix) == ('broken', 'a.tif', 'Mend it')
    assert str(error) == 'a.tif: broken. Mend it'


def test_not_found_is_also_a_file_not_found_error():
    with pytest.raises(FileNotFoundError, match='no such folder'):
        raise DataNotFoundError('no such folder', where='data')
    assert issubclass(DataNotFoundError, RsmmError)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('EuroSatt', " Did you mean 'EuroSAT'?"), ('eurosat', " Did you mean 'EuroSAT'?"), ('x', '')],
)
def test_did_you_mean(name, expected):
    assert did_you_mean(name, ['EuroSAT', 'OSCD']) == expected
