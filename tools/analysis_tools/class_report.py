"""Print precision, recall and F1 of each class for predictions dumped with tools/test.py --out.

Example:
    python tools/analysis_tools/class_report.py results.json --markdown
"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded
from rsmm.utils import atomic_write
from rsmm.utils.outputs import keep_arguments


def main() -> None:
    """Parse arguments, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('predictions', help='JSON file')
    parser.add_argument('--markdown', action='store_true', help='as a Markdown table')
    parser.add_argument('--out', help='also write the table to this file')
    parser.add_argument('--classes', nargs='+', help='class names (default: image folders)')
    args = keep_arguments(parser.parse_args())
    from rsmm.evaluation.functional.classification import class_report, format_report
    from rsmm.visualization.predictions import read_predictions

    predictions = read_predictions(args.predictions, args.classes)
    rows = class_report(predictions.truth, predictions.predicted, predictions.classes)
    table = format_report(rows, args.markdown)
    accuracy = (predictions.truth == predictions.predicted).mean()
    print(f'{table}\n\naccuracy {accuracy:.2%} of {len(predictions.truth)} samples')
    if args.out:
        with atomic_write(args.out, 'w', encoding='utf-8') as file:
            file.write(table + '\n')


if __name__ == '__main__':
    sys.exit(guarded(main))
