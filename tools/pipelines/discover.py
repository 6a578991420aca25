"""Discovery in one command: features, changes, events, table, GeoPackage and catalogue page.

Examples:
    python tools/pipelines/discover.py --cells data/cairo --out work_dirs/cairo
    python tools/pipelines/discover.py ... --config configs/ripples/... --checkpoint best.pth
    python tools/pipelines/discover.py ... --options min_change=0.05 min_voxels=100 third=True
    python tools/pipelines/discover.py ... --published
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded, short_warnings
from rsmm.studies.discover_options import AUTO, make_options


def _change(text: str) -> float | str:
    return text if text == AUTO else float(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--cells', required=True, help='folder of cell folders, or one of them')
    parser.add_argument('--out', required=True, help='output folder; what is done is kept')
    parser.add_argument('--config', help='model for dense features (default: pixels, no network)')
    parser.add_argument('--checkpoint', help="its weights, or 'random'")
    parser.add_argument('--clouds', help='parallel tree of cloud images')
    parser.add_argument('--dates', help='CSV file,date for names without a date')
    parser.add_argument(
        '--layouts', nargs='+', default=['per_event'], choices=('per_event', 'flat')
    )
    parser.add_argument('--processes', type=int, default=1, help='cells at a time')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--no-page', dest='page', action='store_false', help='no events.html')
    parser.add_argument(
        '--min-change', type=_change, help="floor of the threshold: a distance in 0..2, or 'auto'"
    )
    parser.add_argument('--published', action='store_true', help='the settings of the paper')
    parser.add_argument('--options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the pipeline and say what it found."""
    args = vars(parse_args(argv))
    from rsmm.studies.discover import run_discovery

    settings = args.pop('options')
    floor = args.pop('min_change')
    if floor is not None:
        settings['min_change'] = floor
    options = make_options(settings, args.pop('published'))
    with short_warnings():
        summary = run_discovery(options=options, **args)
    for note in summary['notes']:
        print(note)
    print(f'{summary["events"]} events in {summary["cells"]} cells, written to {args["out"]}')


if __name__ == '__main__':
    sys.exit(guarded(main))
