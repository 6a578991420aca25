"""Cut georeferenced images and their labels into tiles, split by place.

No ground falls in two splits, also where scenes or tiles overlap. MapFolder and ChangeFolder read
the folder written.

Examples:
    python tools/dataset_converters/make_tiles.py data/scenes data/tiles --tile 256
    python tools/dataset_converters/make_tiles.py data/pairs data/tiles --folders A B label
"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main(argv: list[str] | None = None) -> None:
    """Cut, and print how many tiles each split has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', help='folder of the folders')
    parser.add_argument('out', help='new folder')
    parser.add_argument('--folders', nargs='+', default=['images', 'labels'], help='images first')
    parser.add_argument('--tile', type=int, default=256, help='side in pixels')
    parser.add_argument('--stride', type=int, help='distance of tiles (default: the side)')
    parser.add_argument('--cell', type=float, help='side of the cells in metres (default: 4 tiles)')
    parser.add_argument('--fractions', type=float, nargs='+', default=[0.8, 0.2])
    parser.add_argument('--seed', type=int, default=0)
    args = keep_arguments(parser.parse_args(argv))
    from rsmm.datasets.place_tiles import make_tiles

    counts = make_tiles(**vars(args))
    left_out = counts.pop('border', 0)
    print(', '.join(f'{split} {count}' for split, count in sorted(counts.items())) or 'no tiles')
    print(f'{left_out} tiles that reach into two splits were left out')


if __name__ == '__main__':
    sys.exit(guarded(main))
