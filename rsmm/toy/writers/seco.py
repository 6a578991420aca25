"""ToyEarth as the SeCo archive: places with five dates spread over a year."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from rsmm.toy.world import World
from rsmm.toy.writers.common import random_numbers, write_toy
from rsmm.toy.writers.scenes import (
    SIZE,
    check_size,
    choose_places,
    place_name,
    season_dates,
    write_place,
)
from rsmm.utils import track


def write_seco(
    out: str | Path,
    places: int = 40,
    dates: int = 5,
    size: int = SIZE,
    seed: int = 0,
    previews: bool = True,
) -> bool:
    """Write a toy SeCo archive in the published layout.

    ``<place>/<product id>/{B1,...,B12}.tif`` (uint8, three sizes, JPEG, latitude and longitude),
    ``metadata.json`` and an RGB preview beside each date folder.

    Args:
        out: Folder to write.
        places: Places.
        dates: Dates per place.
        size: Pixels of 10 m per side, a multiple of 6; published scenes have 264.
        seed: Seed of the world.
        previews: Write the previews of the 100k set.

    Returns:
        False when the folder already holds just this output.
    """
    check_size(size)
    settings = {
        'places': places, 'dates': dates, 'size': size, 'seed': seed, 'previews': previews,
    }  # fmt: skip

    def fill(folder: Path) -> None:
        world = World(seed)
        chosen = choose_places(world, places, size, 'seco', years=(2019, 2020))
        shifts = random_numbers(places, seed, 'seco', 'shift')
        for number, place in enumerate(track(chosen, 'Rendering toy places')):
            first = dt.date(2019, 1, 8) + dt.timedelta(days=int(365 * shifts[number]))
            jitter = random_numbers(dates, seed, 'seco', 'days', number)
            write_place(
                folder / place_name(number),
                world,
                place,
                season_dates(first, dates, jitter),
                size,
                previews,
            )

    return write_toy(out, 'seco', settings, fill)
