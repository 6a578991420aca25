"""Galleries of clusters and of events: the right pictures in the right places."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

from rsmm.apis.cli import guarded
from rsmm.errors import DataError, DataNotFoundError
from rsmm.inference.features import Features
from rsmm.inference.folder_features import save_features
from rsmm.studies.figures.galleries import cluster_gallery, event_gallery, picture_rows

RED, GREEN, BLUE = (220, 0, 0), (0, 220, 0), (0, 0, 220)


def flat(colour, side=20):
    return np.full((side, side, 3), colour, np.uint8)


def test_rows_stand_where_they_belong():
    rows = [('a', [flat(RED), flat(GREEN, 200)]), ('b', [flat(BLUE)]), ('c', [flat(RED)])]
    sheet = picture_rows(rows, side=30)
    assert sheet.shape == (3 * 50 + 4, 2 * 34 + 4, 3)
    for y, x, colour in ((30, 19, RED), (30, 53, GREEN), (80, 19, BLUE), (130, 19, RED)):
        assert tuple(sheet[y, x]) == colour
    assert tuple(sheet[80, 53]) == (255, 255, 255)
    wide = picture_rows(rows, side=30, columns=2)  # two beside each other
    assert wide.shape == (2 * 50 + 4, 2 * 72, 3)
    assert tuple(wide[30, 72 + 19]) == RED


@pytest.fixture
def folder(tmp_path):
    """Three red chips and two blue ones, whose features are their colours but for one."""
    names, vectors, labels = [], [], []
    for label, colour, count in (('Red', RED, 3), ('Blue', BLUE, 2)):
        for number in range(count):
            path = tmp_path / f'chips/{label}/{number}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(flat(colour)).save(path)
            names.append(f'{label}/{number}.png')
            vectors.append([*colour, 10 * number])
            labels.append(int(label == 'Red'))
    features = Features(np.array(vectors, np.float32), np.array(labels), ('Blue', 'Red'))
    save_features(tmp_path / 'f.npz', names, features)
    return tmp_path


def test_clusters_show_what_lies_nearest_to_their_centre(folder):
    out = folder / 'c.png'
    said = cluster_gallery(folder / 'f.npz', folder / 'chips', out, k=2, shown=2)
    assert said == ['3: Red 100 %', '2: Blue 100 %']
    sheet = np.asarray(Image.open(out))
    assert tuple(sheet[60, 50]) == RED
    assert tuple(sheet[60 + 116, 50]) == BLUE
    with pytest.raises(DataError, match='9 clusters of 5'):
        cluster_gallery(folder / 'f.npz', folder / 'chips', out, k=9)


@pytest.fixture
def events(tmp_path):
    for name, count in (('c_00001', 3), ('c_00002', 2)):
        home = tmp_path / f'events/{name}'
        home.mkdir(parents=True)
        for t in range(count):
            Image.fromarray(flat(RED, 96)).save(home / f'{t:02d}_img.png')
            if t < count - 1:
                mask = np.zeros((96, 96), np.uint8)
                mask[20:60, 30:70] = 255
                Image.fromarray(mask).save(home / f'{t:02d}_mask.png')
    (tmp_path / 'events/empty').mkdir()
    return tmp_path / 'events'


def test_events_in_the_order_of_time_with_what_changed(events):
    drawn = event_gallery(events, events.parent / 'e.png', names=['c_00002', 'c_00001'])
    assert drawn == ['c_00002', 'c_00001']
    sheet = np.asarray(Image.open(events.parent / 'e.png'))
    assert sheet.shape[1] == 3 * 100 + 4
    first, second = sheet[16:112, 4:100], sheet[16:112, 104:200]
    assert (first == RED).all()  # nothing came before it
    assert tuple(second[20, 50]) == (255, 60, 0)
    assert tuple(second[40, 50]) == RED  # an outline, not a patch
    with pytest.raises(DataNotFoundError, match='no such event'):
        event_gallery(events, events.parent / 'e.png', names=['c_00009'])
    with pytest.raises(DataError, match='holds no images'):
        event_gallery(events, events.parent / 'e.png', names=['empty'])
    (events.parent / 'none').mkdir()
    with pytest.raises(DataNotFoundError, match='holds no events'):
        event_gallery(events.parent / 'none', events.parent / 'e.png')


def test_the_tool(folder, events, repo_root, monkeypatch):
    path = repo_root / 'tools/visualizations/galleries.py'
    spec = importlib.util.spec_from_file_location('galleries_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for arguments in (
        ['clusters', folder / 'f.npz', folder / 'chips', '--out', folder / 'x.png', '--k', 2],
        ['events', events, '--out', folder / 'y.png', '--names', 'c_00001'],
    ):
        monkeypatch.setattr('sys.argv', ['galleries', *map(str, arguments)])
        assert guarded(module.main) == 0
    assert (folder / 'x.png').is_file()
    assert (folder / 'y.png').is_file()
