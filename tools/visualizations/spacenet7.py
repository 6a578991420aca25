"""Pictures of a SpaceNet 7 result: panels, animation, growth figure and an offline HTML page.

Example:
    python tools/visualizations/spacenet7.py --images data/spacenet7/train --aoi L15-0331E \\
        --footprints work_dirs/sn7/submission.csv --out work_dirs/sn7/figures
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--images', required=True, help='folder of AOI folders, or one of them')
    parser.add_argument(
        '--footprints',
        required=True,
        help='CSV of the pipeline or of the truth, or a folder of GeoJSON files in pixels',
    )
    parser.add_argument('--truth', help='truth alike, a second curve in the growth figure')
    parser.add_argument('--aoi', help='name or beginning of the AOI (default: the first)')
    parser.add_argument('--out', required=True)
    parser.add_argument('--scale', type=int, default=2, help='enlargement of panels and animation')
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Write the pictures and say where they are."""
    args = parse_args(argv)
    from rsmm.visualization.spacenet7_figures import write_figures

    for path in write_figures(**vars(args)):
        print(Path(path))


if __name__ == '__main__':
    sys.exit(guarded(main))
