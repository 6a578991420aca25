"""Object proposals as targets, and the patches they cut out: the input side of DETReg."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose

from rsmm.datasets.transforms.pictures import read_picture
from rsmm.errors import ConfigError
from rsmm.ops.edge_density import edge_proposals
from rsmm.ops.mmcv_fallback import install
from rsmm.ops.selective_search import MODES, RegionHierarchy, rank_regions, region_hierarchy
from rsmm.registry import TRANSFORMS
from rsmm.utils import atomic_write

install()  # mmdet's structures import mmcv.ops

from mmdet.datasets.transforms import PackDetInputs  # noqa: E402
from mmdet.structures.bbox import HorizontalBoxes  # noqa: E402

STRATEGIES = ('topk', 'mc', 'stratified', 'random', 'edge_density', 'random_box')
#: Ranks that importance sampling draws from, and its divisor (Bar et al., DETReg).
MC_RANKS, MC_SCALE = 300, 10.0


def keep_probability(ranks: np.ndarray) -> np.ndarray:
    """Probability with which importance sampling keeps the proposal of each rank, from 1."""
    return -np.log(np.asarray(ranks) / (MC_RANKS + 1)) / MC_SCALE


def choose_proposals(
    boxes: np.ndarray, count: int, strategy: str, rng: np.random.Generator
) -> np.ndarray:
    """Choose from ranked boxes ``(N, 4)``: the first ones, or by importance sampling."""
    if strategy != 'mc':
        return boxes[:count]
    boxes = boxes[:MC_RANKS]
    keep = rng.random(len(boxes)) < keep_probability(np.arange(1, len(boxes) + 1))
    return boxes[keep]


def random_boxes(
    shape: tuple[int, int], count: int, rng: np.random.Generator, min_side: float = 8.0
) -> np.ndarray:
    """Boxes ``(count, 4)`` with uniform size and place inside an image (H, W)."""
    height, width = shape
    size = np.array([width, height], float)
    sides = rng.uniform(np.minimum(min_side, size), size, (count, 2))
    lower = rng.random((count, 2)) * (size - sides)
    return np.concatenate([lower, lower + sides], axis=1).astype(np.float32)


@TRANSFORMS.register_module()
class SearchProposals(BaseTransform):
    """Take object proposals as boxes to be detected.

    The regions of an image are found once and cached; which proposals are taken is drawn anew
    every time, which trains better than a fixed choice.

    Required Keys: img, img_path; other_path for ``'random'``

    Added Keys:

    - gt_bboxes (HorizontalBoxes): (N, 4), pixels
    - gt_bboxes_labels (np.ndarray): the position of each proposal, which leads later to its patch
    - gt_ignore_flags (np.ndarray): zeros

    Args:
        count: Proposals taken.
        strategy: ``'topk'`` (first ones of the random ranking), ``'mc'`` (importance sampling over
            300), ``'stratified'`` (first ones, sizes taking turns), ``'random'`` (those of another
            image), ``'edge_density'`` (:func:`rsmm.ops.edge_density.edge_proposals`, far faster
            than the search) or ``'random_box'`` (no search at all).
        mode: See :func:`rsmm.ops.selective_search`.
        side: See :func:`rsmm.ops.region_hierarchy`.
        min_side: Drop narrower boxes, in pixels.
        max_area: Drop boxes that cover a larger share of the image.
        cache_dir: Folder for the regions; None searches anew each time.
    """

    def __init__(
        self,
        count: int = 30,
        strategy: str = 'topk',
        mode: str = 'fast',
        side: int = 128,
        min_side: float = 8.0,
        max_area: float = 0.95,
        cache_dir: str | None = None,
    ) -> None:
        if strategy not in STRATEGIES:
            raise ConfigError(f'strategy={strategy!r} is not one of {", ".join(STRATEGIES)}')
        if mode not in MODES:
            raise ConfigError(f'mode={mode!r} is not one of {", ".join(MODES)}')
        self.count, self.strategy = count, strategy
        self.mode, self.side = mode, side
        self.min_side, self.max_area = min_side, max_area
        self.cache_dir = None if cache_dir is None else Path(cache_dir)

    def transform(self, results: dict) -> dict:
        """Add the proposals; there may be none on a blank image."""
        rng = np.random.default_rng(np.random.randint(2**31))
        shape = results['img'].shape[:2]
        if self.strategy == 'random_box':
            boxes = random_boxes(shape, self.count, rng, self.min_side)
        elif self.strategy == 'edge_density':
            limits = dict(min_side=self.min_side, max_area=self.max_area)
            boxes = edge_proposals(results['img'], self.count, rng, **limits)
        else:
            hierarchy = self._other(results) if self.strategy == 'random' else self._own(results)
            ranked = rank_regions(
                hierarchy,
                rng,
                min_side=self.min_side,
                max_area=self.max_area,
                stratify=self.strategy == 'stratified',
            )
            # Boxes of another image are stretched to this one.
            ratio = np.array(shape[::-1] * 2) / np.array(hierarchy.shape[::-1] * 2)
            boxes = choose_proposals(ranked, self.count, self.strategy, rng) * ratio
        results['gt_bboxes'] = HorizontalBoxes(boxes.astype(np.float32).reshape(-1, 4))
        results['gt_bboxes_labels'] = np.arange(len(boxes), dtype=np.int64)
        results['gt_ignore_flags'] = np.zeros(len(boxes), bool)
        return results

    def _own(self, results: dict) -> RegionHierarchy:
        return self._hierarchy(results['img_path'], results['img'])

    def _other(self, results: dict) -> RegionHierarchy:
        if 'other_path' not in results:
            raise ConfigError(
                "strategy='random' takes the proposals of another image, and there is none",
                fix='Use UnlabeledTiles on a folder of at least two images',
            )
        return self._hierarchy(results['other_path'], None)

    def _hierarchy(self, path: str, image: np.ndarray | None) -> RegionHierarchy:
        file = self._cache_file(path)
        if file is not None and file.is_file():
            with np.load(file) as stored:
                return RegionHierarchy(
                    stored['boxes'], stored['levels'], tuple(stored['shape'].tolist()), self.side
                )
        image = read_picture(path)[0] if image is None else image
        hierarchy = region_hierarchy(image, self.mode, self.side)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as target:
                np.savez_compressed(
                    target, boxes=hierarchy.boxes, levels=hierarchy.levels, shape=hierarchy.shape
                )
        return hierarchy

    def _cache_file(self, path: str) -> Path | None:
        """Name by image and settings: a rewritten image or other settings have other regions."""
        if self.cache_dir is None:
            return None
        image = Path(path).absolute()
        written = image.stat().st_mtime_ns if image.is_file() else 0
        key = f'{image}|{written}|{self.mode}|{self.side}'
        name = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
        return self.cache_dir / name[:2] / f'{name}.npz'

    def __repr__(self) -> str:
        return f'SearchProposals(count={self.count}, strategy={self.strategy!r})'


@TRANSFORMS.register_module()
class CropProposalPatches(BaseTransform):
    """Cut out what each proposal shows, before the image is flipped, resized or cropped.

    Required Keys: img, bands, gt_bboxes

    Added Keys:

    - proposal_patches (np.ndarray): (N, size, size, C), dtype of the image

    Args:
        size: Side of the patches in pixels.
        transforms: Photometric transforms applied to each patch.
    """

    def __init__(self, size: int = 128, transforms: Sequence[dict] = ()) -> None:
        self.size = size
        self.transforms = Compose([TRANSFORMS.build(step) for step in transforms])

    def transform(self, results: dict) -> dict:
        """Cut the patches; boxes are clipped to the image and cover at least one pixel."""
        image = results['img']
        height, width = image.shape[:2]
        patches = np.empty(
            (len(results['gt_bboxes']), self.size, self.size, image.shape[2]), image.dtype
        )
        for index, box in enumerate(results['gt_bboxes'].tensor.numpy()):
            x1, y1 = np.floor(np.clip(box[:2], 0, (width - 1, height - 1))).astype(int)
            x2, y2 = np.ceil(np.clip(box[2:], (x1 + 1, y1 + 1), (width, height))).astype(int)
            crop = np.ascontiguousarray(image[y1:y2, x1:x2])
            crop = cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
            crop = crop.reshape(self.size, self.size, -1)
            sample = {'img': crop, 'bands': results['bands'], 'img_path': results['img_path']}
            patches[index] = self.transforms(sample)['img']
        results['proposal_patches'] = patches
        return results

    def __repr__(self) -> str:
        return f'CropProposalPatches(size={self.size})'


@TRANSFORMS.register_module()
class PackDETRegInputs(PackDetInputs):
    """Pack an image with the proposals that augmentation left, and their patches.

    mmdet's transforms filter boxes and labels together. The labels are positions in the list of
    proposals, so they lead to the patches; afterwards every proposal is of class 0, "object".

    Required Keys: img, gt_bboxes, gt_bboxes_labels, proposal_patches

    Added Keys: inputs, data_samples with ``gt_instances.patches`` (N, C, size, size)

    Args:
        min_boxes: Images with fewer proposals of positive area are refused (the dataset then takes
            another one).
        **kwargs: Arguments of ``mmdet.PackDetInputs``.
    """

    def __init__(self, min_boxes: int = 2, **kwargs) -> None:
        kwargs.setdefault('meta_keys', ('img_id', 'img_path', 'ori_shape', 'img_shape'))
        super().__init__(**kwargs)
        self.min_boxes = min_boxes

    def transform(self, results: dict) -> dict | None:
        """Pack, or return None to have the image replaced."""
        boxes = results['gt_bboxes']
        boxes.clip_(results['img'].shape[:2])
        sides = boxes.tensor[:, 2:] - boxes.tensor[:, :2]
        kept = (sides > 0).all(dim=1).numpy()
        if kept.sum() < self.min_boxes:
            return None
        order = results['gt_bboxes_labels'][kept]
        results['gt_bboxes'] = boxes[kept]
        results['gt_bboxes_labels'] = np.zeros(len(order), np.int64)
        results['gt_ignore_flags'] = np.zeros(len(order), bool)
        packed = super().transform(results)
        patches = results['proposal_patches'][order].transpose(0, 3, 1, 2)
        packed['data_samples'].gt_instances.patches = torch.from_numpy(
            np.ascontiguousarray(patches)
        )
        return packed
