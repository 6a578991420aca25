"""Weak and strong views: geometry, independence, labels per pixel, sizes and depths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rsmm.errors import ConfigError
from rsmm.ops.views import WEAK_DRAWS, Views, crop_and_flip


def numbers(views: Views, count: int, kind: str = 'strong') -> torch.Tensor:
    rng = np.random.get_state()
    np.random.seed(5)
    draws = [views.draw()[kind] for _ in range(count)]
    np.random.set_state(rng)
    return torch.from_numpy(np.stack(draws))


@pytest.mark.parametrize('dtype', [torch.uint8, torch.uint16, torch.int16, torch.float32])
def test_weak_view_is_a_flipped_crop_of_the_mirrored_image(dtype: torch.dtype) -> None:
    images = torch.arange(2 * 5 * 12 * 12).view(2, 5, 12, 12).remainder(251).to(dtype)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), 'reflect')
    draws = torch.tensor([[0.0, 0.99, 0.4, 0.9], [0.5, 0.3, 0.6, 0.2]])
    view = crop_and_flip(images, draws, 12, 3).numpy()
    first = padded[0, :, 0:12, 6:18][..., ::-1]  # top 0, left 6 of 0..6, flipped left-right
    second = padded[1, :, 3:15, 2:14][..., ::-1, :]  # flipped top-bottom
    assert view.dtype == images.numpy().dtype
    np.testing.assert_array_equal(view, np.stack([first, second]))


def test_weak_views_are_spread_evenly() -> None:
    """All 9 x 9 places and 4 orientations of a padded image, each about alike often."""
    position = torch.arange(32 * 32, dtype=torch.float32).view(1, 1, 32, 32)
    views = Views(32, padding=4)
    seen = views(position.expand(8000, -1, -1, -1), numbers(views, 8000, 'weak'))
    middle = seen[:, 0, 16, 16].long()
    rows, columns = middle // 32, middle % 32
    for places in (rows, columns):
        # The pixel beside the middle is read in flipped images: 4..12 before it, 4..12 after.
        counts = torch.bincount(places, minlength=32)[11:21]
        assert counts.sum() == 8000
        assert (counts > 350).all()


def test_strong_view_draws_its_own_geometry_unless_told_to_keep_the_weak_one() -> None:
    own, kept = Views(16), Views(16, strong_on='weak')
    for views, same in ((own, False), (kept, True)):
        np.random.seed(1)
        draws = views.draw(weak=2, strong=2)
        assert list(draws) == ['weak', 'weak_2', 'strong', 'strong_2']
        for weak, strong in (('weak', 'strong'), ('weak_2', 'strong_2')):
            assert (draws[strong][:WEAK_DRAWS] == draws[weak]).all() == same
        assert not np.array_equal(draws['weak'], draws['weak_2'])


def test_strong_view_on_the_weak_one_leaves_every_pixel_in_place() -> None:
    images = torch.zeros(50, 3, 17, 17)
    images[:, :, 3, 5] = 255
    views = Views(17, strong_on='weak')
    np.random.seed(2)
    draws = [views.draw() for _ in range(50)]
    weak, strong = (
        views(images, torch.from_numpy(np.stack([d[name] for d in draws])))
        for name in ('weak', 'strong')
    )
    background = strong.flatten(2).median(2).values[..., None, None]
    changed = (strong - background).abs().amax(1, keepdim=True) > 1
    # Three rounds of a 3 x 3 filter reach three pixels.
    near = torch.nn.functional.max_pool2d(weak.amax(1, keepdim=True), 7, 1, 3) > 0
    assert not (changed & ~near).any()
    assert changed.flatten(1).any(1).float().mean() > 0.5


def test_shrinks_as_pillow_does_and_aligns_corners_where_published() -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(array).resize((32, 32), Image.Resampling.BILINEAR))
    image = torch.from_numpy(array).permute(2, 0, 1)[None]
    ours = Views(32).fit(image)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - expected).max() <= 1
    grown = Views(128, resize='corners').fit(torch.rand(1, 2, 120, 120))
    assert grown.shape == (1, 2, 128, 128)
    ramp = torch.linspace(0, 1, 120).expand(1, 1, 120, 120)
    line = Views(128, resize='corners').fit(ramp)[0, 0, 0]
    assert torch.allclose(line, torch.linspace(0, 1, 128), atol=1e-6)


def test_centre_view_of_a_wide_image() -> None:
    views = Views(8)
    image = torch.arange(16.0).expand(1, 1, 8, 16)
    assert views.centre(image)[0, 0, 0].tolist() == list(range(4, 12))
    assert views.centre(torch.zeros(2, 1, 20, 31)).shape == (2, 1, 8, 8)


def test_scale_says_what_is_bright() -> None:
    """The same image in bytes and in reflectance x 10000 gives the same strong view."""
    unit = torch.rand(20, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    bytes_, reflectance = Views(16, scale=255), Views(16, scale=10000)
    draws = numbers(bytes_, 20)
    first = bytes_(unit * 255, draws) / 255
    second = reflectance(unit * 10000, draws) / 10000
    assert (first - second).abs().gt(1e-3).float().mean() < 1e-3


@pytest.mark.parametrize(
    'settings', [dict(resize='nearest'), dict(strong_on='nothing'), dict(policy='mild')]
)
def test_settings_that_do_not_exist(settings: dict) -> None:
    with pytest.raises(ConfigError, match='views'):
        Views(16, **settings)


def test_padding_wider_than_the_image() -> None:
    with pytest.raises(ConfigError, match='does not fit'):
        crop_and_flip(torch.zeros(1, 1, 4, 4), torch.rand(1, 4), 4, 4)
