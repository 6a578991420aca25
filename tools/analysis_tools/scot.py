"""Score tracked footprints with SCOT and MOTA.

Truth and proposals are CSV files (filename,id,geometry; pixel coordinates) or folders of GeoJSON
files named after the images.

Examples:
    python tools/analysis_tools/scot.py sn7_train_ground_truth_pix.csv submission.csv
    python tools/analysis_tools/scot.py truth.csv submission.csv --drop-empty --out scot.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rsmm.apis.cli import guarded, short_warnings
from rsmm.utils import atomic_write
from rsmm.utils.outputs import keep_arguments


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('truth', help='CSV file or folder of GeoJSON files')
    parser.add_argument('proposals', help='CSV file or folder of GeoJSON files')
    parser.add_argument('--min-iou', type=float, default=0.25, help='a match is above it')
    parser.add_argument('--min-area', type=float, default=4.0, help='of truth, square pixels')
    parser.add_argument('--beta', type=float, default=2.0)
    parser.add_argument(
        '--order',
        default='ids',
        choices=('ids', 'text', 'rows'),
        help='what decides between equally good matchings; text is how the reference scorer sorts '
        'the ids of a CSV file',
    )
    parser.add_argument(
        '--drop-empty',
        action='store_true',
        help='leave out empty proposals, which the reference scorer counts as false positives',
    )
    parser.add_argument(
        '--merge-duplicates',
        action='store_true',
        help='unite rows of the same id in a month instead of refusing them',
    )
    parser.add_argument('--out', help='write all numbers, per month too, as JSON')
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Score and print."""
    args = parse_args(argv)
    from rsmm.evaluation.functional.change_tracking import format_scot, scot
    from rsmm.geo.submission import check_systems, read_cubes

    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    with short_warnings():
        check_systems(args.truth, args.proposals)
        truth = read_cubes(args.truth, merge=args.merge_duplicates)
        proposals = read_cubes(args.proposals, args.drop_empty, args.merge_duplicates)
        result = scot(truth, proposals, args.min_iou, args.min_area, args.beta, args.order)
    print(format_scot(result))
    if args.out:
        with atomic_write(args.out, 'w', encoding='utf-8') as file:
            json.dump(result, file, indent=1)


if __name__ == '__main__':
    sys.exit(guarded(main))
