from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from rsmm.errors import DataError, DataNotFoundError
from rsmm.utils.archive import extract_archive


def make_zip(path, members) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def make_tar(path, members, mode='w:gz') -> None:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


MAKERS = {'a.zip': make_zip, 'a.tar.gz': make_tar}


@pytest.mark.parametrize('name', MAKERS)
def test_files_arrive_and_merge(tmp_path, name):
    MAKERS[name](tmp_path / name, {'eurosat/River/1.tif': b'new', 'readme.txt': b'text'})
    target = tmp_path / 'out'
    (target / 'eurosat' / 'River').mkdir(parents=True)
    (target / 'eurosat' / 'River' / '0.tif').write_bytes(b'old')
    assert extract_archive(tmp_path / name, target) == target
    assert (target / 'eurosat' / 'River' / '1.tif').read_bytes() == b'new'
    assert (target / 'eurosat' / 'River' / '0.tif').read_bytes() == b'old'
    assert sorted(p.name for p in target.iterdir()) == ['eurosat', 'readme.txt']


@pytest.mark.parametrize('name', MAKERS)
@pytest.mark.parametrize('member', ['../evil', '/evil', 'a/../../evil', '..\\evil', 'C:\\evil'])
def test_escapes_are_refused_before_anything_is_written(tmp_path, name, member):
    MAKERS[name](tmp_path / name, {'good.txt': b'1', member: b'2'})
    with pytest.raises(DataError, match='outside the target folder'):
        extract_archive(tmp_path / name, tmp_path / 'out')
    assert list((tmp_path / 'out').iterdir()) == []
    assert not (tmp_path / 'evil').exists()


@pytest.mark.parametrize('kind', [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_tar(tmp_path, kind):
    with tarfile.open(tmp_path / 'a.tar', 'w') as archive:
        info = tarfile.TarInfo('link')
        info.type, info.linkname = kind, '/etc'
        archive.addfile(info)
    with pytest.raises(DataError, match='link or a device'):
        extract_archive(tmp_path / 'a.tar', tmp_path / 'out')


def test_links_in_zip(tmp_path):
    info = zipfile.ZipInfo('link')
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr(info, '/etc')
    with pytest.raises(DataError, match='is a link'):
        extract_archive(tmp_path / 'a.zip', tmp_path / 'out')


@pytest.mark.parametrize('name', MAKERS)
def test_damaged_archives(tmp_path, name):
    MAKERS[name](tmp_path / name, {f'{i}.bin': bytes(range(256)) * 50 for i in range(20)})
    data = (tmp_path / name).read_bytes()
    for size in (0, 10, len(data) // 2):
        (tmp_path / name).write_bytes(data[:size])
        with pytest.raises(DataError):
            extract_archive(tmp_path / name, tmp_path / 'out')
        assert list((tmp_path / 'out').iterdir()) == []


def test_no_archive(tmp_path):
    with pytest.raises(DataNotFoundError):
        extract_archive(tmp_path / 'a.zip', tmp_path)
