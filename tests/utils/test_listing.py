"""Listing files: spellings, clutter, names of one stem, and nothing left out unsaid."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from rsmm.errors import DataError, DataNotFoundError
from rsmm.utils.listing import (
    IMAGES,
    JPEG,
    by_stem,
    check_partners,
    has_suffix,
    images_by_stem,
    is_clutter,
    list_files,
    list_folders,
    of_one_kind,
)

ODD_NAMES = ('a b', "it's", 'say "x"', 'Orléans', 'x\ny', '100%', 'a;b#c?d', '$HOME', '雪', '(1),2')


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x')
    return path


@pytest.mark.parametrize('suffix', IMAGES)
@pytest.mark.parametrize('spelling', [str.lower, str.upper, str.title])
def test_every_spelling_of_a_suffix(tmp_path: Path, suffix: str, spelling) -> None:
    path = touch(tmp_path / f'x{spelling(suffix)}')
    assert list_files(tmp_path) == [path]
    assert has_suffix(path)


@pytest.mark.parametrize(
    'name', ['._x.tif', '.x.tif', 'Thumbs.db', '.DS_Store', '.ipynb_checkpoints/x.tif',
             '__MACOSX/x.tif', '@eaDir/x.tif', 'desktop.ini'],
)  # fmt: skip
def test_clutter_is_no_data(tmp_path: Path, name: str) -> None:
    touch(tmp_path / name)
    kept = touch(tmp_path / 'x.tif')
    assert is_clutter(name.split('/')[0])
    assert list_files(tmp_path, deep=True) == [kept]
    assert list_folders(tmp_path) == []


@pytest.mark.parametrize('name', ODD_NAMES)
def test_odd_names(tmp_path: Path, name: str) -> None:
    path = touch(tmp_path / name / f'{name}.tif')
    assert list_files(tmp_path, deep=True) == [path] == list_files(tmp_path / name)
    assert list(images_by_stem(tmp_path / name)) == [unicodedata.normalize('NFC', name)]


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    forms = [unicodedata.normalize(form, 'Orléans île') for form in ('NFC', 'NFD')]
    paths = [touch(tmp_path / str(k) / f'{form}.tif') for k, form in enumerate(forms)]
    assert by_stem(paths[:1]).keys() == by_stem(paths[1:]).keys()
    with pytest.raises(DataError, match='same name'):
        by_stem(paths)


def test_two_files_of_one_stem(tmp_path: Path) -> None:
    for suffix in ('.tif', '.TIF'):
        touch(tmp_path / f'x{suffix}')
    with pytest.raises(DataError, match=r'x.tif: x.TIF has the same name'):
        images_by_stem(tmp_path)


def test_a_link_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    touch(tmp_path / 'a.tif')
    (tmp_path / 'README').symlink_to('gone')
    assert len(list_files(tmp_path)) == 1
    (tmp_path / 'b.tif').symlink_to('gone')
    with pytest.raises(DataError, match='b.tif: is a link to gone'):
        list_files(tmp_path)


def test_linked_folders_are_walked_once(tmp_path: Path) -> None:
    touch(tmp_path / 'other/a.tif')
    (tmp_path / 'root').mkdir()
    (tmp_path / 'root/link').symlink_to(tmp_path / 'other')
    (tmp_path / 'root/circle').symlink_to(tmp_path / 'root')
    assert [path.name for path in list_files(tmp_path / 'root', deep=True)] == ['a.tif']
    assert list_files(tmp_path / 'root') == []


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch) -> None:
    touch(tmp_path / 'a/x.tif')

    def refused(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(os, 'scandir', refused)
    with pytest.raises(DataError, match='cannot be read .Permission denied'):
        list_files(tmp_path, deep=True)


def test_absent_folders(tmp_path: Path) -> None:
    assert list_files(tmp_path / 'gone') == []
    with pytest.raises(DataNotFoundError, match='no such folder'):
        list_folders(tmp_path / 'gone')


def test_images_of_another_kind_are_not_left_out_unsaid(tmp_path: Path) -> None:
    for name in ('a.jpg', 'b.JPEG', 'a.tif'):
        touch(tmp_path / name)
    assert sorted(of_one_kind(tmp_path, JPEG)) == ['a', 'b']
    touch(tmp_path / 'c.png')
    with pytest.raises(DataError, match=r'1 images beside 2 .jpg files .* c.png'):
        of_one_kind(tmp_path, JPEG)


def test_partners() -> None:
    files = {name: Path(name) for name in 'ab'}
    check_partners(files, files, 'image', '')
    with pytest.raises(DataError, match=r'b: has no image .1 of 2'):
        check_partners(files, {'a': Path('a')}, 'image', '')
