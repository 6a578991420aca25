"""The table of the papers for any encoders: EuroSAT, PASTIS, GID and OSCD.

Examples:
    python tools/benchmark.py --checkpoints a.pth random imagenet=resnet18.pth --out work_dirs/table
    python tools/benchmark.py ... --tasks oscd gid --budget paper --seeds 0 1 2 3 4
    python tools/benchmark.py ... --data oscd=/data/oscd gid=/data/gid --processes 4
    python tools/benchmark.py ... --cfg-options num_workers=0 oscd:val_cities='(nantes,rennes)'
    sbatch --array=0-7 --wrap "python tools/benchmark.py ..."   # the jobs share the cells

A second call runs what is missing.
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.studies.benchmark import (
    BUDGETS,
    TASKS,
    parse_checkpoints,
    run_benchmark,
    split_options,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--checkpoints', nargs='+', required=True, help="files, NAME=FILE, or 'random'"
    )
    parser.add_argument('--tasks', nargs='+', default=list(TASKS), help=', '.join(TASKS))
    parser.add_argument('--budget', choices=BUDGETS, default='short')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--out', required=True)
    parser.add_argument('--data', nargs='+', action=DictAction, default={}, metavar='TASK=DIR')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='[TASK:]KEY=VALUE',
        help='for every cell, or for those of one task',
    )
    parser.add_argument('--processes', type=int, default=1, help='cells at a time')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the table and print it."""
    args = parse_args(argv)
    from rsmm.visualization.benchmark import table_markdown

    found = run_benchmark(
        parse_checkpoints(args.checkpoints),
        args.out,
        tasks=args.tasks,
        budget=args.budget,
        seeds=args.seeds,
        data=args.data,
        options=split_options(args.cfg_options, args.tasks),
        processes=args.processes,
    )
    print(table_markdown(found['scores'], found['missing']))


if __name__ == '__main__':
    sys.exit(guarded(main))
