"""Every byte of packs and shards, and of files with published hashes, is compared on demand."""

from __future__ import annotations

import hashlib
import runpy
import sys

import numpy as np
import pytest

from rsmm.datasets.checksums import verify
from rsmm.datasets.packing import write_pack, write_shards
from rsmm.errors import DataError

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture
def folder(tmp_path):
    item = dict(img=IMAGE, bands=('R', 'G', 'B'), nodata=None, crs=None, transform=None)
    write_pack(tmp_path / 'data/pack', ['a.tif', 'b.tif'], lambda row: item)
    names = ['a/20200101', 'a/20200201', 'b/20200101']
    options = dict(bands=('R', 'G', 'B'), size=4, resample='auto', scenes_per_shard=2)
    write_shards(tmp_path / 'data/shards', names, lambda _: IMAGE, **options)
    published = tmp_path / 'data/published'
    published.mkdir()
    lines = []
    for number in range(2):
        (published / f'{number}.zip').write_bytes(bytes([number]) * 99)
        digest = hashlib.md5((published / f'{number}.zip').read_bytes()).hexdigest()
        lines.append(f'{digest}  {number}.zip')
    (published / 'md5sums.txt').write_text('\n'.join(lines) + '\n')
    digest = hashlib.sha256((published / '1.zip').read_bytes()).hexdigest()
    (published / '1.zip.sha256').write_text(digest.upper() + '\n')
    return tmp_path / 'data'


FILES = ['pack/images.bin', 'pack/index.npz', 'pack/names.txt', 'shards/shard-00001.bin']
FILES += ['published/0.zip', 'published/1.zip']


def test_all_is_well(folder):
    assert verify(folder) == (4 + 2 + 2 + 1, [])


@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize('place', [0, 20, -1])
def test_a_flipped_bit_is_found_wherever_it_is(folder, file, place):
    data = bytearray((folder / file).read_bytes())
    data[place % len(data)] ^= 1
    (folder / file).write_bytes(data)
    _, bad = verify(folder)
    assert {error.where for error in bad} == {str(folder / file)} or all(
        file in str(error) for error in bad
    )
    assert bad


def test_a_lost_file(folder):
    (folder / 'published/0.zip').unlink()
    _, (error,) = verify(folder)
    assert 'is not there' in str(error)


def test_a_list_names_no_files_elsewhere(folder):
    (folder / 'published/md5sums.txt').write_text(f'{"0" * 32}  ../../secret\n')
    with pytest.raises(DataError, match='leads out of'):
        verify(folder)


def test_the_tool(folder, repo_root, monkeypatch, capsys):
    tool = str(repo_root / 'tools/analysis_tools/check_data.py')

    def call(target) -> int:
        monkeypatch.setattr(sys, 'argv', [tool, str(target), '--verify'])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(tool, run_name='__main__')
        return stopped.value.code

    assert call(folder) == 0
    assert '9 files are as their hashes say, 0 are not' in capsys.readouterr().out
    (folder / 'pack/images.bin').write_bytes(b'cut')
    assert call(folder) == 1
    assert 'images.bin: sha256 is' in capsys.readouterr().out
    (folder / 'empty').mkdir()
    assert call(folder / 'empty') == 1
    assert 'holds no hashes' in capsys.readouterr().err
