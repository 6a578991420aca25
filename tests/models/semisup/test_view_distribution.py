"""Views of the loader and views of the device: drawn apart, they have one distribution.

Equal numbers give equal views (tested with the views themselves). Here each side draws its own, so
that a side which drew too few numbers, used one twice or mixed up samples would differ.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from rsmm.datasets.streams import two_stream_collate
from rsmm.datasets.transforms.views import PackViews, WeakStrong
from rsmm.registry import MODELS

SIDE, SIZE, COUNT = 24, 16, 500
#: Chance that equal distributions fail in any of a case's tests.
LEVEL = 0.001


def image(number: int) -> np.ndarray:
    """One of four smooth images with noise: no flip or turn maps one onto another."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = [np.sin(6 * (a * rows + b * columns + c)) for a, b, c in rng.random((3, 3))]
    noisy = 128 + 70 * np.stack(waves, -1) + rng.normal(0, 8, (SIDE, SIDE, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def views_of(where: str, seed: int, **settings) -> dict[str, torch.Tensor]:
    """Weak and strong views ``(COUNT, 3, SIZE, SIZE)`` in stored units, by the whole data path."""
    np.random.seed(seed)
    chosen = dict(size=SIZE, bands=('B04', 'B03', 'B02'), **settings)
    make, pack = WeakStrong(chosen, where=where), PackViews()
    device = MODELS.build(
        dict(
            type='TwoStreamPreprocessor', views=chosen, bands=['B04', 'B03', 'B02'],
            mean=[0.0] * 3, std=[1.0] * 3,
        )
    )  # fmt: skip
    rows = []
    for number in range(COUNT):
        row = dict(img=image(number % 4), bands=('B04', 'B03', 'B02'), gt_label=0)
        row |= dict(img_shape=(SIDE, SIDE), sample_idx=number)
        rows.append({**pack(make(row)), 'stream': 'unlabelled'})
    return device(two_stream_collate(rows), True)['inputs']


def statistics(views: torch.Tensor) -> dict[str, np.ndarray]:
    """Numbers per view that colour, contrast, place, direction and edges move."""
    grey = views.float().mean(1)
    half = SIZE // 2
    found = {
        'mean': grey.mean((1, 2)),
        'spread': grey.std((1, 2)),
        'least': grey.amin((1, 2)),
        'most': grey.amax((1, 2)),
        'top': grey[:, :half].mean((1, 2)) - grey[:, half:].mean((1, 2)),
        'left': grey[:, :, :half].mean((1, 2)) - grey[:, :, half:].mean((1, 2)),
        'edges': grey.diff(dim=1).abs().mean((1, 2)),
        'colour': views.float().std(1).mean((1, 2)),
        'flat': (grey.diff(dim=2) == 0).float().mean((1, 2)),
    }
    return {name: value.numpy() for name, value in found.items()}


def differences(first: torch.Tensor, second: torch.Tensor) -> dict[str, float]:
    """Chance of such a difference between equal distributions, per statistic."""
    ours, theirs = statistics(first), statistics(second)
    return {name: ks_2samp(ours[name], theirs[name]).pvalue for name in ours}


@pytest.mark.parametrize(
    'settings', [{}, dict(policy='reference', table='eurosat'), dict(strong_on='weak')]
)
def test_loader_and_device_draw_from_one_distribution(settings: dict) -> None:
    loader, device = views_of('loader', 1, **settings), views_of('device', 2, **settings)
    for name in ('weak', 'strong'):
        # The loader rounds to bytes; the device's are rounded here, which is no part of the draw.
        found = differences(loader[name], device[name].round())
        assert min(found.values()) > LEVEL / len(found), (name, found)


@pytest.mark.parametrize(
    ('change', 'view'), [(dict(num_ops=1), 'strong'), (dict(cut=0.25), 'strong')]
)
def test_the_test_sees_another_policy(change: dict, view: str) -> None:
    """Two changes less, or a box of half the side, is found with the same number of views."""
    found = differences(views_of('loader', 1)[view], views_of('device', 2, **change)[view].round())
    assert min(found.values()) < LEVEL / len(found)


def test_the_test_sees_a_flip_that_never_happens() -> None:
    views = views_of('loader', 1)['weak']
    fixed = torch.stack([torch.from_numpy(image(i % 4)).permute(2, 0, 1) for i in range(COUNT)])
    found = differences(views, fixed[..., 4:-4, 4:-4])
    assert min(found.values()) < LEVEL / len(found)
