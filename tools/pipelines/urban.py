"""The urban-features study on toy data: pretrain, detect, map, classify, compare.

Examples:
    python tools/pipelines/urban.py --short                   # minutes, to see that all of it runs
    python tools/pipelines/urban.py                           # the sizes of docs/urban.md
    python tools/pipelines/urban.py --work-dir DIR --set swav_epochs=50 seed=1

A second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--short', action='store_true', help='little of everything')
    parser.add_argument('--work-dir', help='default: work_dirs/urban or work_dirs/urban-short')
    parser.add_argument('--fresh', action='store_true', help='begin anew')
    parser.add_argument(
        '--set',
        nargs='+',
        action=DictAction,
        default={},
        metavar='NAME=VALUE',
        help='change settings of rsmm.studies.urban.UrbanScale',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the chain; it prints the tables."""
    args = parse_args(argv)
    from rsmm.studies.urban import FULL, SHORT, UrbanChain, make_scale

    work_dir = args.work_dir or ('work_dirs/urban-short' if args.short else 'work_dirs/urban')
    scale = make_scale(SHORT if args.short else FULL, args.set)
    UrbanChain(work_dir, scale, fresh=args.fresh)()
    print(f'Report, figures and runs are in {work_dir}')


if __name__ == '__main__':
    sys.exit(guarded(main))
