"""From an image to proposals, patches and a packed sample."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rsmm.datasets.tiles import UnlabeledTiles
from rsmm.datasets.transforms.proposals import (
    CropProposalPatches,
    SearchProposals,
    choose_proposals,
    keep_probability,
    random_boxes,
)
from rsmm.errors import ConfigError, DataError
from rsmm.toy.aerial import draw_scene

PIPELINE = [
    dict(type='LoadRaster'),
    dict(type='SearchProposals', count=12),
    dict(type='CropProposalPatches', size=32),
    dict(type='mmdet.RandomFlip', prob=1.0),
    dict(type='mmdet.Resize', scale=(80, 80), keep_ratio=True),
    dict(type='PackDETRegInputs'),
]


def results(seed: int = 0, size: int = 128) -> dict:
    return {
        'img': draw_scene(seed, size).image,
        'img_path': f'{seed}.png',
        'bands': ('R', 'G', 'B'),
    }


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('tiles')
    for seed in range(3):
        cv2.imwrite(str(root / f'{seed}.png'), draw_scene(seed, 128).image)
    return root


def test_importance_sampling() -> None:
    expected = [0.5707, 0.5014, 0.3405, 0.2306, 0.1102]
    np.testing.assert_allclose(keep_probability([1, 2, 10, 30, 100]), expected, atol=6e-5)
    boxes = np.arange(400 * 4).reshape(400, 4)
    rng = np.random.default_rng(0)
    kept = [len(choose_proposals(boxes, 30, 'mc', rng)) for _ in range(200)]
    mean = keep_probability(np.arange(1, 301)).sum()
    assert np.mean(kept) == pytest.approx(mean, abs=1)
    assert len(choose_proposals(boxes, 30, 'topk', rng)) == 30


def test_random_boxes_lie_inside() -> None:
    boxes = random_boxes((40, 90), 200, np.random.default_rng(0))
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [90, 40]).all()
    assert (boxes[:, 2:] - boxes[:, :2]).min() >= 8 - 1e-4


@pytest.mark.parametrize('strategy', ['topk', 'mc', 'stratified', 'edge_density', 'random_box'])
def test_strategies(strategy: str) -> None:
    search = SearchProposals(count=10, strategy=strategy)
    np.random.seed(0)
    first = search.transform(results())['gt_bboxes'].tensor
    second = search.transform(results())['gt_bboxes'].tensor
    np.random.seed(0)
    again = search.transform(results())['gt_bboxes'].tensor
    assert first.equal(again)
    assert not first.equal(second)


def test_cache_gives_the_same_proposals(tmp_path: Path) -> None:
    found = []
    for search in (SearchProposals(), *[SearchProposals(cache_dir=str(tmp_path))] * 2):
        np.random.seed(3)
        found.append(search.transform(results())['gt_bboxes'].tensor)
    assert found[0].equal(found[1])
    assert found[0].equal(found[2])
    assert len(list(tmp_path.rglob('*.npz'))) == 1
    SearchProposals(cache_dir=str(tmp_path), mode='single').transform(results())
    assert len(list(tmp_path.rglob('*.npz'))) == 2


def test_a_rewritten_image_is_searched_anew(tmp_path: Path) -> None:
    search = SearchProposals(cache_dir=str(tmp_path / 'cache'))
    path = tmp_path / 'a.png'
    for seed in range(2):
        cv2.imwrite(str(path), draw_scene(seed, 128).image)
        np.random.seed(0)
        found = search.transform({**results(seed), 'img_path': str(path)})['gt_bboxes'].tensor
        np.random.seed(0)
        assert found.equal(SearchProposals().transform(results(seed))['gt_bboxes'].tensor)


def test_proposals_of_another_image(folder: Path) -> None:
    dataset = UnlabeledTiles(str(folder), pipeline=[dict(type='LoadRaster')])
    np.random.seed(0)
    sample = SearchProposals(strategy='random').transform(dataset[0])
    assert len(sample['gt_bboxes']) == 30
    with pytest.raises(ConfigError, match='another image'):
        SearchProposals(strategy='random').transform(results())


def test_patches_show_what_the_boxes_hold() -> None:
    from mmdet.structures.bbox import HorizontalBoxes

    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:50] = (200, 100, 50)
    boxes = HorizontalBoxes([[30.0, 10, 50, 20], [-5, -5, 4, 4], [58.5, 38.2, 70, 60]])
    sample = {'img': image, 'gt_bboxes': boxes, 'bands': ('R', 'G', 'B'), 'img_path': ''}
    patches = CropProposalPatches(size=16).transform(sample)['proposal_patches']
    assert patches.shape == (3, 16, 16, 3)
    assert (patches[0] == (200, 100, 50)).all()
    assert (patches[1:] == 0).all()


def test_packed_patches_follow_their_boxes(folder: Path) -> None:
    """After flip and resize every patch still shows what lies in its box."""
    dataset = UnlabeledTiles(str(folder), pipeline=PIPELINE)
    np.random.seed(1)
    sample = dataset[0]
    truth = sample['data_samples'].gt_instances
    assert truth.labels.unique().tolist() == [0]
    assert truth.patches.shape == (len(truth), 3, 32, 32)
    image = sample['inputs'].numpy().transpose(1, 2, 0)
    for box, patch in zip(truth.bboxes.tensor.numpy(), truth.patches.numpy(), strict=True):
        x1, y1, x2, y2 = box.round().astype(int)
        inside = image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)].reshape(-1, 3).mean(0)
        np.testing.assert_allclose(patch.reshape(3, -1).mean(1), inside, atol=14)


def test_blank_tiles_do_not_loop_for_ever(tmp_path: Path) -> None:
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / name), np.full((64, 64, 3), 80, np.uint8))
    dataset = UnlabeledTiles(str(tmp_path), pipeline=PIPELINE, max_refetch=3)
    with pytest.raises(DataError, match='4 images in a row were refused'):
        dataset[0]


def test_unknown_settings() -> None:
    with pytest.raises(ConfigError, match='strategy'):
        SearchProposals(strategy='edges')
    with pytest.raises(ConfigError, match='mode'):
        SearchProposals(mode='slow')
