"""Draw the confusion matrix of predictions dumped with tools/test.py --out FILE.json.

Example:
    python tools/analysis_tools/confusion_matrix.py results.json --out confusion.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments, save_figure


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('predictions', help='JSON file')
    parser.add_argument('--out', help='PNG, SVG or PDF (default: beside the predictions)')
    parser.add_argument('--page', help='also draw a page of predictions, mistakes first')
    parser.add_argument('--num', type=int, default=40, help='images on the page')
    parser.add_argument('--order', help='bands of the files on the page, e.g. eurosat')
    parser.add_argument('--show', nargs='+', help='one or three bands to show on the page')
    parser.add_argument('--classes', nargs='+', help='class names (default: image folders)')
    return keep_arguments(parser.parse_args())


def main() -> None:
    """Draw and say where."""
    args = parse_args()
    from rsmm.visualization.confusion import draw_confusion
    from rsmm.visualization.predictions import draw_predictions, read_predictions

    predictions = read_predictions(args.predictions, args.classes)
    out = args.out or str(Path(args.predictions).with_suffix('.confusion.png'))
    save_figure(draw_confusion(predictions), out)
    print(out)
    if args.page:
        page = draw_predictions(predictions, args.num, order=args.order, show=args.show)
        save_figure(page, args.page)
        print(args.page)


if __name__ == '__main__':
    sys.exit(guarded(main))
