"""Panels of whole scenes: both dates, the truth, and one column of errors per checkpoint.

Examples:
    python tools/visualizations/change_panels.py CONFIG --checkpoints random a=a.pth --out DIR
    python tools/visualizations/change_panels.py CONFIG \
        --checkpoints seco=a.pth fc=configs/oscd/fc-siam-diff_100e_oscd-rgb.py:b.pth --out DIR \
        --scenes rennes --cfg-options data_root=DIR test_dataloader.dataset.split=all
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument(
        '--checkpoints', nargs='+', required=True, metavar='[NAME=][CONFIG.py:]FILE'
    )
    parser.add_argument('--out', required=True, help='folder for <scene>.png')
    parser.add_argument('--scenes', nargs='+', help='names; default all test scenes')
    parser.add_argument('--no-images', action='store_true', help='truth and errors alone')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Draw and say where."""
    args = parse_args(argv)
    from rsmm.studies.figures.panels import change_panels, parse_columns

    columns = parse_columns(args.config, args.checkpoints)
    written = change_panels(
        columns, args.out, args.cfg_options, args.scenes, args.device, images=not args.no_images
    )
    for path in written:
        print(path)


if __name__ == '__main__':
    sys.exit(guarded(main))
