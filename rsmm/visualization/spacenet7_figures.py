"""All pictures of one SpaceNet 7 result at once."""

from __future__ import annotations

from pathlib import Path

from rsmm.datasets.spacenet7 import find_cubes
from rsmm.datasets.transforms.footprints import read_mosaic
from rsmm.errors import ConfigError
from rsmm.geo.submission import read_cubes
from rsmm.utils.outputs import save_picture
from rsmm.visualization.spacenet7 import growth_figure, monthly_panels, write_animation
from rsmm.visualization.spacenet7_page import write_cube_page


def write_figures(
    images: str | Path,
    footprints: str | Path,
    out: str | Path,
    aoi: str | None = None,
    truth: str | Path | None = None,
    scale: int = 2,
) -> list[Path]:
    """Write panels, animation, growth figure and the HTML page of one area of interest.

    Args:
        images: Folder of AOI folders, or one of them.
        footprints: CSV with identities, or a folder of GeoJSON files, in pixels.
        out: Folder of the pictures.
        aoi: Name or beginning; the first by default.
        truth: The truth in the same form.
        scale: Enlargement of panels and animation.

    Returns:
        The files written.

    Raises:
        ConfigError: No such AOI in the images and the CSV.
    """
    cubes = find_cubes(images, labels=None)
    found = read_cubes(footprints, drop_empty=True)
    names = [name for name in cubes if name in found and name.startswith(aoi or '')]
    if not names:
        raise ConfigError(
            f'no AOI {aoi or ""} that occurs in the images and in {footprints}',
            fix=f'The images hold {", ".join(cubes)}',
        )
    name = names[0]
    frames = [frame for frame in cubes[name] if frame.month in found[name]]
    pictures = {frame.month: read_mosaic(frame.image)[0] for frame in frames}
    cube = {month: found[name][month] for month in pictures}
    reference = read_cubes(truth, drop_empty=True).get(name) if truth else None
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / file for file in ('panels.png', 'ids.gif', 'growth.png', 'months.html')]
    save_picture(monthly_panels(pictures, cube, scale=scale), paths[0])
    write_animation(paths[1], pictures, cube, scale)
    growth_figure(paths[2], pictures[max(pictures)], cube, reference)
    write_cube_page(paths[3], pictures, cube, title=f'Building footprints of {name} by month')
    return paths
