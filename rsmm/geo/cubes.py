"""Footprints with identities over months: the switches that follow the tracker.

A cube is ``{'YYYY_MM': [(id, polygon), ...]}``, the form in which SCOT takes truth and proposals.
Every function returns a new cube with the same months.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import shapely

from rsmm.errors import DataError
from rsmm.geo.polygons import mask_to_polygons, repair

Cube = dict[str, list[tuple[Hashable, shapely.Geometry]]]


def make_cube(
    months: Sequence[str],
    frames: Sequence[Sequence[shapely.Geometry]],
    tracks: Sequence[Sequence[tuple[int, float]]],
) -> Cube:
    """Join polygons with the result of :func:`rsmm.geo.track_footprints`.

    Footprints with a negative id (refused by look-ahead) are left out.

    Raises:
        DataError: The three do not describe the same months and polygons.
    """
    if [len(frame) for frame in frames] != [len(track) for track in tracks]:
        raise DataError('the tracks do not belong to these polygons: their numbers differ')
    if len(months) != len(frames):
        raise DataError(f'{len(months)} names for {len(frames)} months')
    return {
        month: [(name, shape) for (name, _), shape in zip(track, frame, strict=True) if name >= 0]
        for month, frame, track in zip(months, frames, tracks, strict=True)
    }


def sightings(cube: Mapping[str, Sequence]) -> dict[Hashable, list[int]]:
    """Return for each id the positions of the months (in order) in which it occurs."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for position, month in enumerate(sorted(cube)):
        for name, _ in cube[month]:
            found[name].append(position)
    return dict(found)


def merge_same_ids(cube: Mapping[str, Sequence]) -> Cube:
    """Unite the polygons of a month that bear the same id, so that ids are unique."""
    merged: Cube = {}
    for month, frame in cube.items():
        groups: dict[Hashable, list] = defaultdict(list)
        for name, shape in frame:
            groups[name].append(shape)
        merged[month] = [
            (name, shapes[0] if len(shapes) == 1 else shapely.union_all(repair(shapes)))
            for name, shapes in groups.items()
        ]
    return merged


def filter_tracks(
    cube: Mapping[str, Sequence], min_months: int = 1, min_presence: float = 0.0
) -> Cube:
    """Drop buildings that were seen too seldom.

    Args:
        cube: Footprints with identities.
        min_months: Fewest months with a sighting (>=).
        min_presence: Smallest share of the months from the first sighting to the end of the
            series in which the building was seen (>=), so late new buildings are judged fairly.
    """
    count = len(cube)
    kept = {
        name
        for name, seen in sightings(cube).items()
        if len(seen) >= min_months and len(seen) >= min_presence * (count - seen[0])
    }
    return {month: [row for row in frame if row[0] in kept] for month, frame in cube.items()}


def fill_gaps(
    cube: Mapping[str, Sequence],
    max_gap: int | None = None,
    min_months: int = 2,
    valid: Mapping[str, np.ndarray] | None = None,
) -> Cube:
    """Put a building into the months between two sightings, with the shape last seen.

    Args:
        cube: Footprints with identities.
        max_gap: Longest run of missing months that is filled, None for any.
        min_months: Only buildings seen in at least so many months are filled.
        valid: Per month (H, W) bool, False where the image has no data; nothing is put there.
    """
    months = sorted(cube)
    filled: Cube = {month: list(frame) for month, frame in cube.items()}
    shapes = {month: dict(frame) for month, frame in cube.items()}
    additions: dict[str, list] = defaultdict(list)
    for name, seen in sightings(cube).items():
        if len(seen) < min_months:
            continue
        for before, after in itertools.pairwise(seen):
            if before < after - 1 and (max_gap is None or after - before - 1 <= max_gap):
                shape = shapes[months[before]][name]
                for position in range(before + 1, after):
                    additions[months[position]].append((name, shape))
    for month, rows in additions.items():
        filled[month] += clip_to_valid(rows, None if valid is None else valid.get(month))
    return filled


def clip_to_valid(rows: Sequence[tuple], valid: np.ndarray | None) -> list[tuple]:
    """Cut footprints to the pixels that have data; what lies wholly outside is dropped."""
    if valid is None or valid.all() or not rows:
        return list(rows)
    hidden = shapely.union_all(mask_to_polygons(~valid, 0.5, min_area=0))
    shapely.prepare(hidden)
    cut = []
    for name, shape in rows:
        if hidden.intersects(shape):
            parts = shapely.get_parts(repair([shape])[0].difference(hidden))
            areas = parts[shapely.get_type_id(parts) == 3]
            shape = areas[0] if len(areas) == 1 else shapely.multipolygons(areas)
        if not shape.is_empty:
            cut.append((name, shape))
    return cut


def building_history(cube: Mapping[str, Sequence]) -> dict[str, list]:
    """Summarise each building in columns.

    Returns:
        ``id``, ``first_seen`` and ``last_seen`` (``YYYY_MM``), ``months_seen`` and ``geometry``
        (the shape at the last sighting), ordered by first sighting, then as in that month.
    """
    months = sorted(cube)
    latest = {name: shape for month in months for name, shape in cube[month]}
    seen = sightings(cube)
    return {
        'id': list(seen),
        'first_seen': [months[positions[0]] for positions in seen.values()],
        'last_seen': [months[positions[-1]] for positions in seen.values()],
        'months_seen': [len(positions) for positions in seen.values()],
        'geometry': [latest[name] for name in seen],
    }
