"""Cutting scenes into tiles."""

from __future__ import annotations

from rsmm.errors import ConfigError
from rsmm.geo.windows import Window, tile_starts

#: What happens to tiles that would stick out: kept and padded, moved back, or left out.
BORDERS = ('pad', 'shift', 'drop')


def tile_windows(
    shape: tuple[int, int], tile: int, stride: int | None = None, border: str = 'pad'
) -> list[Window]:
    """Return the tiles of a scene, row by row.

    Args:
        shape: (H, W) of the scene in pixels.
        tile: Side of a tile in pixels.
        stride: Distance of neighbouring tiles; None is the tile's side.
        border: ``'pad'``: tiles on the grid that begin inside the scene, also where they stick out
            of it (the loader pads them). ``'shift'``: the last tile of a row or column is moved
            back, so that pixels there come twice. ``'drop'``: only whole tiles on the grid.

    Raises:
        ConfigError: Another border rule, or sizes that leave gaps.
    """
    stride = tile if stride is None else stride
    if border not in BORDERS:
        raise ConfigError(f'border={border!r}', where='tiling', fix=f'Known: {", ".join(BORDERS)}')
    rows, columns = (_starts(length, tile, stride, border) for length in shape)
    side = tile if border != 'shift' else None
    return [
        Window(row, column, side or min(tile, shape[0]), side or min(tile, shape[1]))
        for row in rows
        for column in columns
    ]


def _starts(length: int, tile: int, stride: int, border: str) -> list[int]:
    starts = tile_starts(length, tile, stride)
    if border == 'shift':
        return starts
    grid = range(0, length, stride)
    if border == 'drop':
        return [start for start in grid if start + tile <= length]
    # Once a tile reaches the border the next would repeat its pixels.
    return list(grid)[: len(starts)]
