"""SpaceNet 7 in one command: predict, polygonise, track and, where there is truth, score.

Examples:
    python tools/pipelines/spacenet7.py --config configs/spacenet7/... --checkpoint best.pth \\
        --images data/spacenet7/train --out work_dirs/sn7
    python tools/pipelines/spacenet7.py ... --options mode=collapse collapse.floor=0.05
    python tools/pipelines/spacenet7.py ... --options min_months=3 min_presence=0.5 max_gap=8
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded, short_warnings
from rsmm.utils.outputs import keep_arguments


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', required=True)
    parser.add_argument('--checkpoint', required=True, help="weights, or 'random'")
    parser.add_argument('--images', required=True, help='folder of AOI folders, or one of them')
    parser.add_argument('--out', required=True, help='output folder; finished AOIs are kept')
    parser.add_argument('--truth', help='CSV of the truth in pixels (default: label files)')
    parser.add_argument(
        '--labels', default='labels_match', help="label folder of each AOI, 'none' for no score"
    )
    parser.add_argument('--processes', type=int, default=1, help='AOIs at a time')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Run the pipeline and print what it found."""
    args = vars(parse_args(argv))
    from rsmm.evaluation.functional.change_tracking import format_scot
    from rsmm.studies.spacenet7 import run_pipeline
    from rsmm.studies.spacenet7_options import make_options

    options = make_options(args.pop('options'))
    args['labels'] = None if args['labels'] == 'none' else args['labels']
    with short_warnings():
        summary = run_pipeline(options=options, **args)
    for aoi, count in summary['buildings'].items():
        print(f'{aoi}: {count} buildings')
    if 'scot' in summary:
        print(format_scot(summary['scot']))
    print(f'Written to {args["out"]}')


if __name__ == '__main__':
    sys.exit(guarded(main))
