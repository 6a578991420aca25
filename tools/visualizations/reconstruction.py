"""See what an MAE draws: python tools/visualizations/reconstruction.py CONFIG CHECKPOINT --out PNG

Rows of masked image, reconstruction and original, with the error over the masked pixels.
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main(argv: list[str] | None = None) -> None:
    """Parse arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint', help="file, or 'random'")
    parser.add_argument('--out', required=True, help='PNG to write')
    parser.add_argument('--num', type=int, default=6, help='number of images')
    parser.add_argument('--bands', nargs='+', help='one or three names (default: natural colour)')
    parser.add_argument('--seed', type=int, default=0, help='seed of crops and masks')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args(argv))
    from rsmm.studies.figures.reconstruction import draw_reconstructions

    errors = draw_reconstructions(
        args.config, args.checkpoint, args.out, args.num, args.bands, args.seed, args.cfg_options
    )
    print(f'mean squared error over masked pixels: {errors.mean():.4f}')
    print(args.out)


if __name__ == '__main__':
    sys.exit(guarded(main))
