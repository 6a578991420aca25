"""The 22 traps of the published code, each with the test that guards against it.

Source: section 7 of the project's specification of Ripples (Mall et al., NeurIPS 2022, and its two
code repositories). Those without a test of their own elsewhere are tested here.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import sklearn.cluster
import torch
from PIL import Image

from rsmm.apis import build_model, load_config
from rsmm.datasets.change_events import ChangeEventPairs
from rsmm.datasets.transforms.dense_views import DenseViews
from rsmm.datasets.transforms.event_views import EventViews
from rsmm.errors import CheckpointError, DataError
from rsmm.evaluation.functional import kmeans_scores
from rsmm.models.losses.functional import nt_xent
from rsmm.studies.discover import run_discovery
from tests.datasets.chips import write_jpg_chips

HERE = 'tests/discovery/test_traps.py'
#: Trap, and file and name of the test.
TRAPS = {
    1: ('"imnet" loads nothing', HERE, 'test_random_and_imagenet_are_two_explicit_starts'),
    2: ('two names for one folder', HERE, 'test_one_folder_in_every_mode'),
    3: ('a suffix that the loader misses', HERE, 'test_checkpoints_are_named_by_hand'),
    4: (
        'the mask is not cropped',
        'tests/datasets/test_change_events.py',
        'test_mask_and_images_move_together',
    ),
    5: ('resizing softens the mask', HERE, 'test_weights_are_exact_shares_of_the_area'),
    6: (
        'eps before the geometry',
        'tests/datasets/test_change_events.py',
        'test_reference_crops_the_mask_elsewhere',
    ),
    7: ('a loss of one batch size', HERE, 'test_a_last_smaller_batch'),
    8: ('months unsorted', 'tests/datasets/test_change_events.py', 'test_neighbouring_months'),
    9: (
        'frames compared with the start',
        'tests/discovery/test_distances.py',
        'test_frames_without_a_partner_are_zero',
    ),
    10: (
        'light by mini-batch',
        'tests/discovery/test_normalise.py',
        'test_whole_series_do_not_depend_on_the_batch',
    ),
    11: (
        'the first event is the background',
        'tests/discovery/test_grouping.py',
        'test_a_frame_with_exactly_the_largest_share_stays_and_inputs_are_not_written_to',
    ),
    12: (
        'whitened scores shrink',
        'tests/discovery/test_grouping.py',
        'test_whitened_scores_shrink_with_their_number',
    ),
    13: (
        'places and dates twice',
        'tests/datasets/samplers/test_distinct_places.py',
        'test_every_batch_has_different_places',
    ),
    14: ('one jitter a batch', HERE, 'test_colours_change_by_image_and_view'),
    15: (
        'quadratic grouping',
        'tests/discovery/test_grouping.py',
        'test_bands_give_the_same',
    ),
    16: (
        'cloud images under the names of images',
        'tests/datasets/test_cells.py',
        'test_cloud_images_beside_and_apart',
    ),
    17: ('stages disagree on folders', HERE, 'test_one_folder_for_all_stages'),
    18: ('one restart of k-means', HERE, 'test_ten_restarts'),
    19: ('judged on what was learned from', HERE, 'test_the_page_says_what_is_transductive'),
    20: (
        'names split at slashes',
        'tests/inference/test_folder_features.py',
        'test_files_open_without_pickle',
    ),
    21: ('tiny events become blur', HERE, 'test_tiny_events_can_be_left_out'),
    22: (
        'four forwards or one',
        'tests/models/selfsup/test_pair_contrast.py',
        'test_loss_is_nt_xent_of_masked_pairs',
    ),
}
PAIRS = 'configs/ripples/ripples_resnet18_{}_20e.py'


def test_the_list_is_complete(repo_root):
    assert sorted(TRAPS) == list(range(1, 23))
    for _, file, name in TRAPS.values():
        assert re.search(rf'^def {name}\(', (repo_root / file).read_text(), re.MULTILINE), name


def test_random_and_imagenet_are_two_explicit_starts(repo_root, tmp_path):
    """Trap 1: 'random' takes no file; a start that is asked for is loaded or an error."""
    config = repo_root / PAIRS.format('ours')
    assert load_config(config).model.backbone.init_cfg is None
    torch.manual_seed(0)
    source = build_model(config, 'random')
    weights = {f'backbone.{key}': value for key, value in source.backbone.state_dict().items()}
    torch.save(weights, tmp_path / 'start.pth')
    torch.manual_seed(1)
    options = {
        'pretrained': str(tmp_path / 'start.pth'),
        'model.backbone.init_cfg.prefix': 'backbone.',
    }
    started = build_model(config, 'random', options=options)
    torch.testing.assert_close(started.backbone.state_dict(), source.backbone.state_dict())
    torch.manual_seed(1)
    other = build_model(config, 'random')
    assert not torch.equal(other.backbone.conv1.weight, source.backbone.conv1.weight)
    missing = {'pretrained': str(tmp_path / 'none.pth')}
    with pytest.raises(CheckpointError, match='none.pth'):
        build_model(config, 'random', options=missing)


@pytest.mark.parametrize('mode', ['ours', 'nochange', 'notime', 'fulldata', 'eurosat'])
def test_one_folder_in_every_mode(repo_root, mode):
    """Trap 2: data_root is all there is, and it is what the data set gets."""
    config = load_config(repo_root / PAIRS.format(mode), {'data_root': '/some/where'})
    assert config.train_dataloader.dataset.data_root == '/some/where'


def test_checkpoints_are_named_by_hand(repo_root, tmp_path):
    """Trap 3: any file name does; nothing is appended to it."""
    config = repo_root / PAIRS.format('ours')
    torch.manual_seed(0)
    model = build_model(config, 'random')
    torch.save(model.state_dict(), tmp_path / 'any name.pth.tar')
    loaded = build_model(config, tmp_path / 'any name.pth.tar')
    torch.testing.assert_close(loaded.neck.state_dict(), model.neck.state_dict())


def test_weights_are_exact_shares_of_the_area():
    """Trap 5: of a mask with its left 20 of 64 pixels on, without a turn and a crop."""
    mask = np.zeros((64, 64), bool)
    mask[:, :20] = True
    views = EventViews(resize=64, size=64, cells=8, eps=0.01)
    weights = views._weights(mask, 0, (slice(0, 64), slice(0, 64)))
    expected = [1.01, 1.01, 0.51, 0.01, 0.01, 0.01, 0.01, 0.01]
    np.testing.assert_allclose(weights, np.tile(expected, (8, 1)), atol=1e-6)


@pytest.mark.parametrize('count', [1, 3, 7])
def test_a_last_smaller_batch(count):
    """Trap 7."""
    assert nt_xent(torch.randn(count, 4), torch.randn(count, 4), 0.07).shape == (2 * count,)


def test_colours_change_by_image_and_view():
    """Trap 14: deviation from the published code, which draws once a batch."""
    image = np.full((32, 32, 1, 3), 100, np.uint8)
    jitter = dict(type='RandomColorJitter', brightness=0.3, contrast=0.0, prob=1.0)
    np.random.seed(0)
    seen = set()
    for _ in range(4):
        views = DenseViews(colour=[jitter])({'img': image, 'bands': ('R', 'G', 'B')})['img']
        seen |= {int(view[16, 16, 0]) for view in views}
    assert len(seen) > 4


def test_one_folder_for_all_stages(tmp_path):
    """Trap 17: one call, one output folder, from which every stage goes on."""
    for month in range(8):
        path = tmp_path / f'cells/3005_3175/bbox31750_30050_2018_{month:02d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(month).integers(80, 84, (48, 48, 3))
        Image.fromarray(noise.astype(np.uint8)).save(path)
    run_discovery(tmp_path / 'cells', tmp_path / 'out')
    work = tmp_path / 'out/work/3005_3175'
    assert {path.name for path in work.iterdir()} >= {'labels.json', 'labels.npz', 'events.json'}
    assert {path.name for path in tmp_path.iterdir()} == {'cells', 'out'}


def test_ten_restarts(monkeypatch):
    """Trap 18."""
    asked = []
    kind = sklearn.cluster.KMeans

    def spy(*args, **kwargs):
        asked.append(kwargs)
        return kind(*args, **kwargs)

    monkeypatch.setattr(sklearn.cluster, 'KMeans', spy)
    kmeans_scores(np.random.default_rng(0).normal(size=(20, 2)), [0, 1] * 10, 2)
    assert asked[0]['n_init'] == 10
    assert asked[0]['init'] == 'k-means++'
    assert (asked[0]['tol'], asked[0]['max_iter']) == (1e-4, 300)


def test_the_page_says_what_is_transductive(repo_root):
    """Trap 19."""
    assert 'judged on the images' in (repo_root / 'docs/ripples.md').read_text()


def test_tiny_events_can_be_left_out(tmp_path):
    """Trap 21."""
    for number, side in enumerate((30, 64)):
        for part in ('img1', 'img2', 'mask'):
            path = tmp_path / part / f'e{number}.png'
            path.parent.mkdir(exist_ok=True)
            shape = (side, side) if part == 'mask' else (side, side, 3)
            Image.fromarray(np.full(shape, 255, np.uint8)).save(path)
    assert len(ChangeEventPairs(str(tmp_path))) == 2
    assert [pair['event'] for pair in ChangeEventPairs(str(tmp_path), min_size=64)] == ['e1']
    with pytest.raises(DataError, match='no event is 65 pixels wide'):
        ChangeEventPairs(str(tmp_path), min_size=65)


def test_features_of_a_frame_that_is_wider_than_high(repo_root, tmp_path):
    """Published: the shorter side to 112, then the centre; nothing is squeezed."""
    from rsmm.inference.folder_features import folder_features, reading_steps

    write_jpg_chips(tmp_path, per_class=1)
    chip = np.asarray(Image.open(next((tmp_path / '2750').rglob('*.jpg'))))
    wide = np.concatenate([0 * chip[:, :32], chip, 0 * chip[:, :32]], axis=1)
    for name, image in (('a', chip), ('b', wide)):
        (tmp_path / 'x').mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / f'x/{name}.png')
    config = repo_root / PAIRS.format('ours')
    assert [step['type'] for step in reading_steps(load_config(config))][1:3] == [
        'mmpretrain.ResizeEdge',
        'mmpretrain.CenterCrop',
    ]
    narrow = {'model.backbone.base_channels': 4, 'model.backbone.stem_channels': 4}
    _, found = folder_features(config, 'random', tmp_path / 'x', narrow)
    np.testing.assert_allclose(found.vectors[0], found.vectors[1], rtol=0.02, atol=0.02)
