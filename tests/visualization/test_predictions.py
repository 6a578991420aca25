"""Reading dumps of a test, the confusion matrix and the page of predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from rsmm.errors import DataError, DataNotFoundError
from rsmm.visualization.confusion import confusion_counts, draw_confusion, draw_confusion_counts
from rsmm.visualization.predictions import (
    Predictions,
    draw_predictions,
    pick_samples,
    read_predictions,
)
from rsmm.visualization.style import RIGHT, WRONG

CLASSES = ('Forest', 'Highway', 'River')


def _write(path, samples) -> str:
    path.write_text(json.dumps(samples))
    return str(path)


def _sample(name, truth, predicted, score=0.8):
    scores = [(1 - score) / 2] * 3
    scores[predicted] = score
    return dict(img_path=name, gt_label=truth, pred_label=predicted, pred_score=scores)


@pytest.fixture
def dump(tmp_path):
    """Nine images in class folders; one of each class is wrong."""
    samples = []
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for n in range(3):
            path = tmp_path / name / f'{name}_{n}.png'
            Image.fromarray(np.full((8, 8, 3), 60 * label + 20 * n, np.uint8)).save(path)
            predicted = (label + 1) % 3 if n == 2 else label
            samples.append(_sample(str(path), label, predicted, 0.5 + 0.1 * label))
    return _write(tmp_path / 'dump.json', samples)


def test_reads_a_dump(dump):
    found = read_predictions(dump)
    assert found.classes == CLASSES
    np.testing.assert_array_equal(found.truth, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(found.predicted, [0, 0, 1, 1, 1, 2, 2, 2, 0])
    np.testing.assert_allclose(found.confidence, np.repeat([0.5, 0.6, 0.7], 3))
    assert read_predictions(dump, ['a', 'b', 'c']).classes == ('a', 'b', 'c')


def test_labels_in_lists_and_without_scores(tmp_path):
    path = _write(tmp_path / 'd.json', [dict(img_path='x/a.png', gt_label=[1], pred_label=[0])])
    found = read_predictions(path)
    assert found.scores is None
    assert found.classes == ('0', '1')
    assert found.confidence.tolist() == [1.0]


def test_folders_name_classes_only_where_unambiguous(tmp_path):
    mixed = [_sample('all/a.png', 0, 0), _sample('all/b.png', 1, 1), _sample('all/c.png', 2, 2)]
    assert read_predictions(_write(tmp_path / 'a.json', mixed)).classes == ('0', '1', '2')
    absent = [_sample('Forest/a.png', 0, 0), _sample('Highway/b.png', 1, 1)]
    assert read_predictions(_write(tmp_path / 'b.json', absent)).classes == ('0', '1', '2')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('not json', 'is no JSON'),
        ('[]', 'expected a list of samples'),
        ('{"accuracy": 1}', 'expected a list of samples'),
        ('[{"img_path": "a.png", "pred_sem_seg": 3}]', 'is no dump of a classifier.*gt_label'),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / 'x.json').write_text(content)
    with pytest.raises(DataError, match=message):
        read_predictions(tmp_path / 'x.json')


def test_absent_file_tells_how_to_make_it(tmp_path):
    with pytest.raises(DataNotFoundError, match=r'tools/test\.py CONFIG CHECKPOINT --out'):
        read_predictions(tmp_path / 'x.json')


def test_too_few_names(dump):
    with pytest.raises(DataError, match='holds 3 classes, 2 names'):
        read_predictions(dump, ['a', 'b'])


def test_confusion_counts_agree_with_sklearn():
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 7, (2, 500))
    np.testing.assert_array_equal(
        confusion_counts(truth, predicted, 7), confusion_matrix(truth, predicted, labels=range(7))
    )


def test_confusion_figure_shows_shares_and_counts(dump):
    axes = draw_confusion(read_predictions(dump)).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array().sum(axis=1), 1)
    texts = [text.get_text() for text in axes.texts]
    assert texts.count('67') == 3
    assert texts.count('33') == 3
    assert texts.count('2') == 3
    assert '66.7% of 9' in axes.get_title(loc='left')
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [f'{c} (3)' for c in CLASSES]


def test_confusion_survives_empty_rows_and_many_classes():
    counts = np.zeros((40, 40), int)
    counts[3, 3] = 5
    figure = draw_confusion_counts(counts, [str(k) for k in range(40)])
    assert not figure.axes[0].texts
    assert np.isfinite(figure.axes[0].images[0].get_array()).all()


def test_page_starts_with_the_surest_mistakes(dump):
    found = read_predictions(dump)
    order = pick_samples(found, 6)
    assert order[:3].tolist() == [8, 5, 2]
    assert found.truth[order[3:]].tolist() == [0, 1, 2]
    assert len(pick_samples(found, 100)) == 9


def test_page_keeps_room_for_right_ones():
    truth = np.array([0] * 50 + [1] * 50)
    predicted = np.zeros(100, int)
    page = pick_samples(Predictions(('x',) * 100, truth, predicted, None, ('a', 'b')), 20)
    assert (predicted[page] != truth[page]).sum() == 15
    everything_wrong = Predictions(('x',) * 100, 1 - predicted, predicted, None, ('a', 'b'))
    assert len(pick_samples(everything_wrong, 20)) == 20


def test_page_colours_titles(dump):
    figure = draw_predictions(read_predictions(dump), num=6, columns=3)
    titles = [axes.title for axes in figure.axes]
    assert [title.get_color() for title in titles] == [WRONG] * 3 + [RIGHT] * 3
    assert titles[0].get_text() == 'Forest 70%\nis River'
    assert '3 of 9 wrong' in figure.get_suptitle()


def test_page_shows_bands_by_name(tmp_path):
    import rasterio

    path = tmp_path / 'chip.tif'
    image = np.arange(13, dtype=np.uint16)[:, None, None] * 100 + np.arange(16).reshape(4, 4) * 5
    with rasterio.open(path, 'w', driver='GTiff', height=4, width=4, count=13, dtype='uint16') as f:
        f.write(image.astype(np.uint16))
    one = Predictions((str(path),), np.array([0]), np.array([0]), None, ('a',))
    figure = draw_predictions(one, order='eurosat', show=('B8A', 'B04', 'B03'))
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (4, 4, 3)
    assert shown[..., 0].min() > shown[..., 1].max() > shown[..., 2].max()


def test_figures_do_not_enter_the_global_state(dump):
    import matplotlib.pyplot as plt

    draw_confusion(read_predictions(dump))
    draw_predictions(read_predictions(dump))
    assert plt.get_fignums() == []
