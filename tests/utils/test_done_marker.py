"""Markers vouch for what is there as it was written, and for nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rsmm.utils import atomic_write
from rsmm.utils.done_marker import DoneMarker, content_stamp, folder_stamp, read_marker
from rsmm.utils.leftovers import remove_leftovers, temporary_prefix
from rsmm.utils.listing import is_clutter

MADE = {'options': {'tile': 64, 'pair': (1, 2)}, 'model': 'abc'}


@pytest.fixture
def done(tmp_path) -> DoneMarker:
    marker = DoneMarker(tmp_path / 'done.json', MADE)
    with marker.renewed() as renewal:
        for name in ('a.tif', 'b/c.csv'):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode() * 100)
            renewal.outputs.append(path)
        renewal.facts = {'buildings': 29}
    return marker


def test_a_finished_unit(done):
    assert done.facts() == {'buildings': 29}
    assert DoneMarker(done.path, MADE).facts() == {'buildings': 29}
    found = read_marker(done.path)
    assert set(found['outputs']) == {'a.tif', 'b/c.csv'}


def shorten(folder: Path) -> None:
    (folder / 'a.tif').write_bytes((folder / 'a.tif').read_bytes()[:-1])


def flip(folder: Path) -> None:
    data = bytearray((folder / 'b/c.csv').read_bytes())
    data[7] ^= 4
    (folder / 'b/c.csv').write_bytes(data)


def lose(folder: Path) -> None:
    (folder / 'a.tif').unlink()


def make_a_folder(folder: Path) -> None:
    lose(folder)
    (folder / 'a.tif').mkdir()


def change_the_note(folder: Path) -> None:
    path = folder / 'done.json'
    path.write_text(path.read_text().replace('29', '8'))


def cut_the_note(folder: Path) -> None:
    path = folder / 'done.json'
    path.write_bytes(path.read_bytes()[:-20])


def fill_the_note(folder: Path) -> None:
    (folder / 'done.json').write_bytes(b'\xff\0' * 50)


def make_it_a_list(folder: Path) -> None:
    (folder / 'done.json').write_text('[1]')


def nest_the_note(folder: Path) -> None:
    (folder / 'done.json').write_text('[' * 100_000)


DAMAGE = [
    shorten, flip, lose, make_a_folder, change_the_note, cut_the_note, fill_the_note,
    make_it_a_list, nest_the_note,
]  # fmt: skip


@pytest.mark.parametrize('damage', DAMAGE)
def test_any_damage_is_noticed(done, damage):
    damage(done.path.parent)
    assert done.facts() is None


@pytest.mark.parametrize(
    'made',
    [{}, {**MADE, 'model': 'abd'}, {**MADE, 'more': None}, {'options': {}, 'model': 'abc'}],
)
def test_other_inputs_or_options(done, made):
    assert DoneMarker(done.path, made).facts() is None


def test_nothing_is_vouched_for_while_outputs_change(done, tmp_path):
    stale = tmp_path / 'old.tif'
    stale.touch()

    def work() -> None:
        with done.renewed([stale, tmp_path / 'gone']) as renewal:
            assert not done.path.exists()
            assert not stale.exists()
            renewal.outputs.append(tmp_path / 'a.tif')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert done.facts() is None
    assert not done.path.exists()


def test_stamps_follow_the_content(tmp_path):
    path = tmp_path / 'a.tif'
    path.write_bytes(b'one')
    first, listed = content_stamp(path), folder_stamp(tmp_path)
    os.utime(path, ns=(1, 1))
    assert content_stamp(path) == first
    assert folder_stamp(tmp_path) != listed
    assert folder_stamp(path) == folder_stamp(tmp_path)
    path.write_bytes(b'two')
    os.utime(path, ns=(1, 1))
    assert content_stamp(path) != first
    assert content_stamp(None) is None


def test_temporary_files_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    code = (
        'import os, sys\nfrom rsmm.utils.leftovers import temporary_prefix\n'
        'print(temporary_prefix(sys.argv[1]))'
    )
    command = [sys.executable, '-c', code, str(tmp_path / 'a.tif')]
    prefix = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / f'{prefix}x1.tmp').mkdir()
    (tmp_path / f'{prefix}x1.tmp' / 'a.tif').touch()
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub' / f'{prefix}x_2.tmp').touch()
    (tmp_path / f'{temporary_prefix("a.tif")}x.tmp').touch()  # this process writes it
    (tmp_path / '.other.tmp').touch()  # not ours
    (tmp_path / 'a.tif').touch()
    assert all(is_clutter(path.name) for path in tmp_path.iterdir() if path.name[0] == '.')
    assert len(remove_leftovers(tmp_path)) == 1
    assert len(remove_leftovers(tmp_path, deep=True)) == 1
    assert len(list(tmp_path.iterdir())) == 4
    assert [path.name for path in remove_leftovers(tmp_path, held=True)] == ['.other.tmp']
    assert remove_leftovers(tmp_path / 'none', deep=True) == []


def test_killed_in_the_middle_of_a_write(tmp_path):
    """The temporary file of a killed process is found by its name."""
    code = (
        'import os, sys\nfrom rsmm.utils import atomic_write\n'
        'with atomic_write(sys.argv[1]) as file:\n'
        '    file.write(b"half"); file.flush(); os.kill(os.getpid(), 9)'
    )
    target = tmp_path / 'points.json'
    target.write_text('before')
    done = subprocess.run([sys.executable, '-c', code, str(target)], check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    assert target.read_text() == 'before'
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [target]
    with atomic_write(target, 'w') as file:
        json.dump([1], file)
    assert target.read_text() == '[1]'
