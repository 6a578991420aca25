"""Tile numbers against known tiles and against their inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmm.errors import DataError
from rsmm.geo.tiles import (
    MAX_LATITUDE,
    Tile,
    lonlat_to_tile,
    parse_tile_name,
    tile_gsd,
    tile_to_lonlat,
)


def test_golden_tiles() -> None:
    first = lonlat_to_tile(-89.163724, 32.322702, 19)
    last = lonlat_to_tile(-89.160942, 32.319914, 19)
    assert (first, last) == ((132289, 212354), (132293, 212359))
    assert (last[0] - first[0] + 1) * (last[1] - first[1] + 1) == 30
    lon, lat = tile_to_lonlat(*first, 19)
    assert (lat, lon) == pytest.approx((32.323115, -89.164352), abs=1e-6)


def test_ground_size() -> None:
    assert tile_gsd(0, 19) == pytest.approx(0.2986, abs=1e-4)
    assert tile_gsd(39, 19) == pytest.approx(0.232, abs=1e-3)


@given(st.integers(0, 22), st.data())
def test_centre_of_a_tile_lies_in_it(zoom: int, data) -> None:
    x, y = (data.draw(st.integers(0, 2**zoom - 1)) for _ in range(2))
    assert lonlat_to_tile(*tile_to_lonlat(x + 0.5, y + 0.5, zoom), zoom) == (x, y)
    west, south, east, north = Tile(x, y, zoom).bounds
    assert west < east
    assert south < north


@given(st.integers(0, 30), st.data())
def test_corner_of_a_tile_belongs_to_it(zoom: int, data) -> None:
    """There and back is the same tile, although corners come back rounded."""
    x, y = (data.draw(st.integers(0, 2**zoom - 1)) for _ in range(2))
    assert lonlat_to_tile(*tile_to_lonlat(x, y, zoom), zoom) == (x, y)


def test_borders_of_the_world() -> None:
    assert lonlat_to_tile(180, -MAX_LATITUDE, 3) == (7, 7)
    assert lonlat_to_tile(-180, MAX_LATITUDE, 3) == (0, 0)
    assert lonlat_to_tile(12, 34, 0) == (0, 0)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: lonlat_to_tile(38.9, -190, 19), 'outside the map'),
        (lambda: lonlat_to_tile(float('nan'), 0, 19), 'outside the map'),
        (lambda: lonlat_to_tile(0, 86, 5), 'outside the map'),
        (lambda: lonlat_to_tile(0, 0, 31), 'zoom'),
        (lambda: lonlat_to_tile(0, 0, 3.5), 'zoom'),
        (lambda: tile_to_lonlat(9, 0, 3), 'does not exist'),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize(
    ('stem', 'tile'),
    [
        ('19_132289_212354', Tile(132289, 212354, 19)),
        ('0', None),
        ('19_132289', None),
        ('2_7_1', None),
    ],
)
def test_names(stem: str, tile: Tile | None) -> None:
    assert parse_tile_name(stem) == tile
