"""Views, stretch, texture and groups of dated scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsmm.datasets.seeded import seeded
from rsmm.datasets.transforms.per_band import PerBandAug
from rsmm.datasets.transforms.seasonal import (
    QuantileStretch,
    SeasonalViews,
    SharedGeometricAug,
)
from rsmm.datasets.transforms.texture import AppendTexture, BandGroups
from rsmm.errors import ConfigError, DataError
from rsmm.ops.band_groups import texture_bands
from rsmm.registry import DATE_RULES
from rsmm.sensors import RGB, band_order

S2 = band_order('seco')


def scene(channels: int, value: int | None = None, size: int = 32) -> np.ndarray:
    if value is not None:
        return np.full((size, size, channels), value, np.uint8)
    return np.random.default_rng(0).integers(0, 256, (size, size, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    ('preset', 'band', 'pairs'),
    [
        ('seco', 'B04', [(64, 126), (129, 255), (200, 255)]),
        ('seco', 'B03', [(2, 0), (50, 121)]),
        ('seco', 'B02', [(3, 0), (40, 111)]),
        ('oscd', 'B04', [(2000, 122), (100, 0), (5000, 255)]),
        ('oscd', 'B03', [(1500, 92)]),
        ('oscd', 'B02', [(1200, 46)]),
    ],
)
def test_stretch_golden(preset: str, band: str, pairs: list[tuple[int, int]]) -> None:
    stretch = QuantileStretch(preset)
    dtype = np.uint8 if preset == 'seco' else np.uint16
    for stored, expected in pairs:
        out = stretch({'img': np.full((2, 2, 1), stored, dtype), 'bands': (band,)})['img']
        assert out.dtype == np.uint8
        assert (out == expected).all()


def test_stretch_refuses_a_band_without_quantiles() -> None:
    with pytest.raises(DataError, match='B08'):
        QuantileStretch()({'img': scene(1), 'bands': ('B08',)})


def test_stretch_refuses_digital_numbers_under_the_quantiles_of_bytes() -> None:
    with pytest.raises(DataError, match='uint8 archives, found uint16'):
        QuantileStretch('seco')({'img': [scene(3).astype(np.uint16) * 20], 'bands': RGB})
    with pytest.raises(ConfigError, match='must rise'):
        QuantileStretch({'B04': (5, 5)})


ROLES = {'moco': 1, 'moco_tp': 2, 'seco': 3, 'caco': 3, 'teco': 3, 'sa_moco': 1, 'saco': 2}


@pytest.mark.parametrize('mode', DATE_RULES.entries())
def test_views_show_the_dates_of_the_method(mode: str) -> None:
    """Dates are told apart by level; augmentation is switched off."""
    dates = [scene(3, 50 * (role + 1)) for role in range(ROLES[mode])]
    views = SeasonalViews(mode, size=16, aug=[])({'img': dates, 'bands': RGB})['img']
    seen = [int(view.mean()) // 50 - 1 for view in views]
    expected = {
        'moco': [0, 0],
        'moco_tp': [0, 1],
        'seco': [0, 1, 2, 0],
        'sa_moco': [0, 0],
        'saco': [0, 0, 1],
    }
    assert seen == expected.get(mode, expected['seco'])
    size = 32 if mode in ('sa_moco', 'saco') else 16
    assert {view.shape for view in views} == {(size, size, 3)}


def test_seco_augments_only_what_its_sub_spaces_say() -> None:
    """Colour tells: the query and the pure season view keep it."""
    flat = [scene(3, 120)] * 3
    changed = np.zeros(4)
    for seed in range(20):
        with seeded(seed):
            views = SeasonalViews('seco', size=16)({'img': list(flat), 'bands': RGB})['img']
        changed += [bool((view != 120).any()) for view in views]
    assert changed[0] == changed[2] == 0
    assert changed[1] > 10
    assert changed[3] > 10


def test_views_do_not_share_memory_and_sources_stay() -> None:
    image = scene(3)
    kept = image.copy()
    views = SeasonalViews('saco', aug=[])({'img': [image, image], 'bands': RGB})['img']
    views[0][:] = 0
    assert (views[1] == kept).all()
    assert (image == kept).all()


def test_views_follow_the_seed() -> None:
    def draw(seed: int):
        with seeded(seed):
            return SeasonalViews('seco', size=16)({'img': [scene(3)] * 3, 'bands': RGB})['img']

    for one, other in zip(draw(1), draw(1), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(draw(1), draw(2), strict=True))


def test_geometry_is_shared_by_all_bands() -> None:
    plane = scene(1)
    image = np.repeat(plane, 12, axis=2)
    for seed in range(10):
        with seeded(seed):
            out = SharedGeometricAug(light=0)({'img': image})['img']
        assert out.shape == image.shape
        assert out.dtype == np.uint8
        assert (out == out[..., :1]).all()


def test_rotation_invents_no_border() -> None:
    with seeded(5):
        out = SharedGeometricAug(rotate=1, crop=1, light=0)({'img': scene(12, 90)})['img']
    assert (out == 90).all()


def test_light_moves_values_and_not_places() -> None:
    with seeded(5):
        image = scene(12)
        out = SharedGeometricAug(rotate=0, flip=0, crop=0, light=1)({'img': image})['img']
    assert (out != image).any()
    for band in range(12):
        order = np.argsort(image[..., band].ravel(), kind='stable')
        assert (np.diff(out[..., band].ravel()[order].astype(int)) >= 0).all()


def test_loader_texture_equals_model_texture() -> None:
    image = scene(12)
    out = AppendTexture()({'img': image, 'bands': S2})
    assert out['bands'][12:] == tuple(f'LBP_{band}' for band in S2)
    stored = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    loaded = torch.from_numpy(out['img'][..., 12:].copy()).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(loaded, texture_bands(stored))


def test_texture_refuses_other_than_bytes() -> None:
    with pytest.raises(DataError, match='uint16'):
        AppendTexture()({'img': scene(2).astype(np.uint16), 'bands': S2[:2]})


def test_band_groups() -> None:
    image = np.broadcast_to(np.arange(13), (4, 4, 13))
    order = band_order('eurosat')
    out = BandGroups('readme')({'img': image, 'bands': order})
    assert [order[i] for i in out['img'][1][0, 0]] == ['B11', 'B8A', 'B02']
    assert out['groups'][6] == ('B07', 'B08', 'B10')
    views = BandGroups('readme')({'img': [image, image + 20], 'bands': order})['img']
    for shift, groups in zip((0, 20), views, strict=True):
        for group, alone in zip(groups, out['img'], strict=True):
            np.testing.assert_array_equal(group, alone + shift)


def test_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="'sacco'"):
        SeasonalViews('sacco')


def test_reference_augmentation_takes_the_footprints_apart() -> None:
    """Golden: 128 native pixels of a 264-pixel scene, per ground sampling distance."""
    image = np.zeros((264, 264, 3), np.uint8)
    image[68:196, 68:196] = 200  # the middle 128 pixels of 10 m
    bands = ('B04', 'B05', 'B01')
    out = PerBandAug().cut(image, bands, 0)
    share = (out > 100).mean(axis=(0, 1))
    zooms = np.array([264 / 128, 132 / 128, 44 / 128])
    np.testing.assert_allclose(share, np.minimum(1, zooms * 128 / 264) ** 2, atol=0.01)
    # All of the 60 m band is in view, with zeros round it.
    full = PerBandAug().cut(np.full((264, 264, 1), 90, np.uint8), ('B01',), 0)
    assert (full[132, 132], full[0, 0]) == (90, 0)
    np.testing.assert_allclose((full > 45).mean(), (44 / 128) ** 2, atol=0.005)


def test_reference_augmentation_is_an_option_of_saco() -> None:
    images = [scene(12), scene(12)]

    def views(compat: str | None) -> list[np.ndarray]:
        with seeded(3):
            results = {'img': images, 'bands': S2, 'mode': 'saco'}
            return SeasonalViews(compat=compat)(results)['img']

    released, corrected = views('reference'), views(None)
    np.testing.assert_array_equal(released[0], images[0])
    assert any((a != b).any() for a, b in zip(released[1:], corrected[1:], strict=True))
    with pytest.raises(ConfigError, match='reference'):
        SeasonalViews(compat='released')


def test_reference_light_differs_between_bands() -> None:
    image = np.repeat(scene(1) // 2, 12, axis=2)
    with seeded(4):
        aug = PerBandAug(prob=1, crop=264, extent=2640)
        aug.cut = lambda image, bands, angle: image
        out = aug({'img': image, 'bands': S2})['img']
    assert len({out[..., band].tobytes() for band in range(12)}) > 6
