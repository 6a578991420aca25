"""ToyEarth as the CACo archive: places with five recent and five older dates."""

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
    write_truth,
)
from rsmm.utils import track


def write_caco(
    out: str | Path,
    places: int = 40,
    dates_per_set: int = 5,
    changed: float = 0.5,
    years: int = 4,
    size: int = SIZE,
    seed: int = 0,
) -> bool:
    """Write a toy CACo archive in the published layout, and the truth about its places.

    Files as in SeCo's archive without previews. ``truth.csv`` gives the share of each place that is
    built up between the two sets; the places that do not change still follow the seasons.

    Args:
        out: Folder to write.
        places: Places.
        dates_per_set: Dates in the old and in the new set.
        changed: Share of the places that change.
        years: Years between the two sets.
        size: Pixels of 10 m per side, a multiple of 6; published scenes have 264.
        seed: Seed of the world.

    Returns:
        False when the folder already holds just this output.
    """
    check_size(size)
    settings = {
        'places': places, 'dates_per_set': dates_per_set, 'changed': changed, 'years': years,
        'size': size, 'seed': seed,
    }  # fmt: skip
    starts = (2021 - years, 2021)

    def fill(folder: Path) -> None:
        world = World(seed)
        chosen = choose_places(world, places, size, 'caco', starts, changed)
        shifts = random_numbers(places, seed, 'caco', 'shift')
        for number, place in enumerate(track(chosen, 'Rendering toy places')):
            days = []
            for year in starts:
                first = dt.date(year, 1, 8) + dt.timedelta(days=int(180 * shifts[number]))
                jitter = random_numbers(dates_per_set, seed, 'caco', 'days', number, year)
                days += season_dates(first, dates_per_set, jitter)
            write_place(folder / place_name(number), world, place, days, size, preview=False)
        write_truth(folder / 'truth.csv', chosen)

    return write_toy(out, 'caco', settings, fill)
