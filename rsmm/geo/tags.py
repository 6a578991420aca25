"""Scale and offset tags: true value = stored * scale + offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rsmm.errors import DataError

#: What to do about files whose values are on different scales.
ONE_SCALE = (
    'Apply the tags with scaled=True (LoadRaster, LoadPair, LoadBandFiles), or write all files '
    'with the same ones'
)


def check_tags(founds: Sequence[Mapping], paths: Sequence[str | Path]) -> None:
    """Refuse files whose scale and offset tags differ: equal values are not equal measures.

    Args:
        founds: What :func:`read_raster` finds; ``scales`` and ``offsets`` are absent without tags.
        paths: Their files.

    Raises:
        DataError: Tags differ.
    """
    first = tags_of(founds[0])
    for found, path in zip(founds[1:], paths[1:], strict=True):
        if tags_of(found) != first:
            raise DataError(
                f'its scale and offset tags are {_spelled(tags_of(found))}, those of {paths[0]} '
                f'{_spelled(first)}',
                where=path,
                fix=ONE_SCALE,
            )


def tags_of(found: Mapping) -> tuple:
    """Return the distinct pairs of scale and offset of a file's bands."""
    if 'scales' not in found:
        return ((1.0, 0.0),)
    return tuple(dict.fromkeys(zip(found['scales'], found['offsets'], strict=True)))


def _spelled(tags: Sequence) -> str:
    return ', '.join(f'{scale:g} and {offset:g}' for scale, offset in tags)


def found_tags(found: Mapping) -> dict:
    """Return the tags alone of what :func:`rsmm.geo.raster.read_raster` finds."""
    return {key: found[key] for key in ('scales', 'offsets') if key in found}
