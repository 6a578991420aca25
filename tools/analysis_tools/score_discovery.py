"""Found events against planted ones: python tools/analysis_tools/score_discovery.py OUT --cells TOY

OUT is what tools/pipelines/discover.py wrote, TOY what make_toy_data.py series did.
"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded


def main() -> None:
    """Parse arguments, compare, print."""
    parser = argparse.ArgumentParser(description='Found events against planted ones.')
    parser.add_argument('out', help='output folder of discover.py')
    parser.add_argument('--cells', required=True, help='toy cells with truth.json')
    parser.add_argument('--iou', type=float, default=0.5, help='overlap that counts as found')
    args = parser.parse_args()
    from rsmm.studies.discover_score import score_discovery

    scores = score_discovery(args.out, args.cells, args.iou)
    if scores['found']:
        print(f'precision {scores["precision"]:.2f} ({scores["matched"]} of {scores["found"]})')
    if scores['planted']:
        print(f'recall {scores["recall"]:.2f} ({scores["matched"]} of {scores["planted"]})')
    for kind, part in sorted(scores['by_kind'].items()):
        print(f'  {kind}: {part["matched"]} of {part["planted"]}')
    for kind, part in sorted(scores['quiet'].items()):
        print(f'{kind}: {part["events"]} events in {part["hit"]} of {part["cells"]} cells')


if __name__ == '__main__':
    sys.exit(guarded(main))
