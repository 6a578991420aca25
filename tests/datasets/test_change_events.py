"""Pairs of dates in every layout, and what is wrong with them said in one line."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from rsmm.datasets.change_events import ChangeEventPairs, SelfPairs, SeriesPairs
from rsmm.datasets.transforms.event_views import EventViews, LoadEventPair, rotated, rotated_mask
from rsmm.errors import ConfigError, DataError, DataNotFoundError

SIDE = 40


def write(path, value, shape=(SIDE, SIDE, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def mask_of(path, shape=(SIDE, SIDE)):
    mask = np.zeros(shape, np.uint8)
    mask[:, : shape[1] // 2] = 7  # any value but 0 is change
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


@pytest.fixture
def flat(tmp_path):
    for number in range(3):
        write(tmp_path / f'flat/img1/e{number}.png', 10 + number)
        write(tmp_path / f'flat/img2/e{number}.png', 20 + number)
        mask_of(tmp_path / f'flat/mask/e{number}.png')
    return tmp_path / 'flat'


@pytest.fixture
def per_event(tmp_path):
    for event, months in (('cell_00001', 3), ('cell_00002', 1)):
        for t in range(months + 1):
            write(tmp_path / f'events/{event}/{t:02d}_img.png', 10 * t)
            if t < months:
                mask_of(tmp_path / f'events/{event}/{t:02d}_mask.png')
    (tmp_path / 'events/events.csv').write_text('event\n')
    return tmp_path / 'events'


def test_both_layouts(flat, per_event):
    pairs = ChangeEventPairs(str(flat))
    assert [pairs[k]['event'] for k in range(len(pairs))] == ['e0', 'e1', 'e2']
    assert pairs[1]['date_files'][1].endswith('img2/e1.png')
    pairs = ChangeEventPairs(str(per_event))
    assert len(pairs) == 4
    assert [name[-10:] for name in pairs[2]['date_files']] == ['02_img.png', '03_img.png']
    assert pairs[2]['mask_path'].endswith('02_mask.png')


@pytest.mark.parametrize(
    ('options', 'same', 'masked'),
    [({}, False, True), ({'use_time': False}, True, True), ({'use_mask': False}, False, False)],
)
def test_baselines(per_event, options, same, masked):
    results = LoadEventPair()(ChangeEventPairs(str(per_event), **options)[0])
    assert results['img'].shape[2] == (1 if same else 2)  # a pair with itself is read once
    assert (results['img'][:, :, 0] == results['img'][:, :, -1]).all() == same
    assert results['event_mask'].mean() == (0.5 if masked else 1)


def test_a_folder_with_itself(flat):
    pairs = SelfPairs(str(flat / 'img1'))
    results = LoadEventPair()(pairs[2])
    assert (results['img'] == 12).all()
    assert results['event_mask'].all()


def test_neighbouring_months(tmp_path):
    for month in (3, 0, 1, 5):  # any order on disk, a gap
        write(tmp_path / f'3005_3175/bbox31750_30050_2018_{month:02d}.jpg', 40 + month)
    pairs = SeriesPairs(str(tmp_path))
    assert [pair['dates'] for pair in (pairs[k] for k in range(len(pairs)))] == [
        ('2018-01-01', '2018-02-01')
    ]
    assert len(SeriesPairs(str(tmp_path), max_gap_days=70)) == 3
    results = LoadEventPair(window=16)(pairs[0])
    assert results['img'].shape == (16, 16, 2, 3)
    assert results['event_mask'].shape == (16, 16)
    with pytest.raises(DataError, match='hold no window of 64'):
        LoadEventPair(window=64)(pairs[0])
    with pytest.raises(DataError, match='at most 5 days'):
        SeriesPairs(str(tmp_path), max_gap_days=5)


def test_a_window_cuts_the_mask_as_the_images(tmp_path):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[5:30, 12:25] = 255
    for name in ('img1', 'img2', 'mask'):
        (tmp_path / name).mkdir()
    for name in ('img1', 'img2'):
        Image.fromarray(np.repeat(mask[..., None], 3, axis=2)).save(tmp_path / name / 'e.png')
    Image.fromarray(mask).save(tmp_path / 'mask/e.png')
    for seed in range(5):
        np.random.seed(seed)
        results = LoadEventPair(window=16)(ChangeEventPairs(str(tmp_path))[0])
        np.testing.assert_array_equal(results['img'][:, :, 0, 0] > 0, results['event_mask'])


def test_bad_folders(flat, per_event, tmp_path):
    (flat / 'mask/e1.png').unlink()
    with pytest.raises(DataError, match='e1 is not in mask'):
        ChangeEventPairs(str(flat))
    (per_event / 'cell_00001/01_mask.png').unlink()
    with pytest.raises(DataError, match='4 images and 2 masks'):
        ChangeEventPairs(str(per_event))
    shutil.move(per_event / 'cell_00001/00_img.png', per_event / 'cell_00001/04_img.png')
    mask_of(per_event / 'cell_00001/01_mask.png')
    with pytest.raises(DataError, match='00_mask is not the change'):
        ChangeEventPairs(str(per_event))
    (tmp_path / 'none').mkdir()
    (tmp_path / 'none/note.txt').write_text('')
    with pytest.raises(DataError, match='holds no events'):
        ChangeEventPairs(str(tmp_path / 'none'))
    with pytest.raises(DataNotFoundError):
        SelfPairs(str(tmp_path / 'none'))
    with pytest.raises(ConfigError, match='layout'):
        ChangeEventPairs(str(flat), layout='tall')


def test_sizes_must_agree(flat):
    mask_of(flat / 'mask/e0.png', (SIDE, SIDE + 2))
    with pytest.raises(DataError, match='is 40x42, its images are 40x40'):
        LoadEventPair()(ChangeEventPairs(str(flat))[0])
    write(flat / 'img2/e1.png', 3, (SIDE, 30, 3))
    with pytest.raises(DataError, match='differs from'):
        LoadEventPair()(ChangeEventPairs(str(flat))[1])


def pair_with_mask(mask, bands=3):
    """A pair that shows its own mask, so that geometry can be compared."""
    image = np.repeat(mask[..., None].astype(np.float32) * 100, bands, axis=2)
    return {'img': np.stack([image, image], axis=2), 'event_mask': mask}


@pytest.mark.parametrize('bands', [1, 3, 13])
@pytest.mark.parametrize('seed', range(6))
def test_mask_and_images_move_together(bands, seed):
    """Trap 4: the published crop moves images but never the mask."""
    mask = np.zeros((128, 128), bool)
    mask[40:100, 30:70] = True
    np.random.seed(seed)
    results = EventViews(eps=0.0)(pair_with_mask(mask, bands))
    assert len(results['img']) == 4
    for view in range(2):
        image = results['img'][2 * view]
        assert image.shape == (112, 112, bands)
        np.testing.assert_array_equal(image, results['img'][2 * view + 1])
        seen = image[..., 0].reshape(7, 16, 7, 16).mean(axis=(1, 3)) / 100
        np.testing.assert_allclose(results['event_weights'][view], seen, atol=0.06)
    assert not np.array_equal(results['img'][0], results['img'][2])


def test_reference_crops_the_mask_elsewhere():
    mask = np.zeros((128, 128), bool)
    mask[:, :20] = True
    np.random.seed(1)
    ours = EventViews(eps=0.01)(pair_with_mask(mask))['event_weights']
    np.random.seed(1)
    theirs = EventViews(eps=0.01, mask='reference')(pair_with_mask(mask))['event_weights']
    assert ours.shape == theirs.shape == (2, 7, 7)
    assert not np.allclose(ours, theirs, atol=0.05)
    assert ours.min() >= 0.0099  # trap 6: eps comes after the geometry
    assert theirs.min() < 0.0099


def test_rotation_mirrors_images_and_empties_masks():
    assert (rotated(np.full((20, 30, 5), 9.0, np.float32), 33) == 9).all()
    turned = rotated_mask(np.ones((20, 20), np.float32), 45)
    assert turned[0, 0] == 0
    assert turned[10, 10] == 1
    image = np.random.default_rng(0).random((9, 9, 2)).astype(np.float32)
    np.testing.assert_allclose(rotated(image, 90), np.rot90(image), atol=1e-5)


def test_bad_settings():
    for options in (dict(mask='nearest'), dict(size=200), dict(cells=9)):
        with pytest.raises(ConfigError):
            EventViews(**options)
