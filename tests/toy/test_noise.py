"""Hashing, noise and cells of the toy world."""

from __future__ import annotations

import numpy as np
import pytest

from rsmm.toy.noise import Grid, Noise, derive_seed, draw, hash_keys, smoothstep, voronoi, wave

GRIDS = {
    'dense': Grid(300_013.0, 5_000_000.0, 128, 100, 5.0),
    'small': Grid(300_640.0, 5_000_007.0, 30, 30, 5.0),
    'negative': Grid(-2_000.0, -700.0, 64, 64, 10.0),
}


def test_hash_is_splitmix64():
    """The generator's published first outputs for seed 0; every toy byte hangs on them."""
    assert hash_keys(0, np.array([0])).tolist() == [0xE220A8397B1DCDAF]
    assert hash_keys(0x9E3779B97F4A7C15, np.array([0])).tolist() == [0x6E789E6AA1B965F4]


def test_seeds_depend_on_all_names():
    seeds = {derive_seed(*names) for names in ((0,), (1,), (0, 'a'), (0, 'b'), (0, 'a', 1))}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_draws_are_uniform_and_streams_independent():
    hashes = hash_keys(3, np.arange(20_000))
    first, second = draw(hashes, 0), draw(hashes, 1)
    assert first.min() >= 0
    assert first.max() < 1
    histogram = np.histogram(first, 10, (0, 1))[0]
    assert abs(histogram - 2_000).max() < 200
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.03


@pytest.mark.parametrize('grid', GRIDS.values(), ids=GRIDS)
def test_grid_and_points_agree(grid):
    noise = Noise(5, 4_000.0, 7)
    points = grid.points()
    dense = grid.sample(noise)
    np.testing.assert_allclose(dense, points.sample(noise), atol=2e-3)
    for on_grid, at in zip(grid.slopes(noise), points.slopes(noise), strict=True):
        np.testing.assert_allclose(on_grid, at, atol=0.03 * np.abs(at).max())


def test_slopes_are_derivatives():
    noise = Noise(5, 900.0, 3)
    x, y = np.array([1_234.5, -77.0]), np.array([88.8, 4_321.0])
    east, north = noise.slopes_at(x, y)
    step = 0.5
    by_x = (noise.at(x + step, y) - noise.at(x - step, y)) / (2 * step)
    by_y = (noise.at(x, y + step) - noise.at(x, y - step)) / (2 * step)
    np.testing.assert_allclose(east, by_x, rtol=2e-2, atol=2e-5)
    np.testing.assert_allclose(north, by_y, rtol=2e-2, atol=2e-5)


@pytest.mark.parametrize('octaves', [1, 4])
def test_noise_has_unit_variance(octaves):
    field = Noise(11, 400.0, octaves).on_grid(Grid(0.0, 0.0, 600, 600, 50.0))
    assert abs(field.mean()) < 0.05
    assert field.std() == pytest.approx(1, abs=0.05)


def test_overlapping_windows_agree():
    noise = Noise(2, 3_000.0, 6)
    whole = noise.on_grid(Grid(10_000.0, 20_000.0, 128, 128, 5.0))
    part = noise.on_grid(Grid(10_160.0, 19_840.0, 64, 64, 5.0))
    np.testing.assert_allclose(whole[32:96, 32:96], part, atol=1e-5)


def test_voronoi_finds_the_nearest_seeds():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-4_000, 4_000, (2, 300))
    cells = voronoi(9, 500.0, x, y)
    seeds = np.unique(np.stack([cells.x, cells.y], 1), axis=0)
    distance = np.sqrt((x[:, None] - seeds[:, 0]) ** 2 + (y[:, None] - seeds[:, 1]) ** 2)
    np.testing.assert_allclose(cells.first, distance.min(axis=1))
    assert (cells.second >= cells.first).all()
    owner = {}
    for identity, place in zip(
        cells.hashes.tolist(), zip(cells.x, cells.y, strict=True), strict=True
    ):
        assert owner.setdefault(identity, place) == place


def test_ramps():
    np.testing.assert_allclose(smoothstep(1, 3, np.array([0, 1, 2, 3, 9])), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(3, 1, np.array([1, 2, 3])), [1, 0.5, 0])
    np.testing.assert_allclose(wave(np.array([0, 0.25, 0.5, 0.75, 1.25])), [0, 1, 0, -1, 1][:5])
