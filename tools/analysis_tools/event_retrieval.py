"""Whether events of a kind find each other: python tools/analysis_tools/event_retrieval.py
feats.npz [more.npz ...] --labels labels.csv [--column label] [--positive road] [--k 25]

Each event (its pairs averaged) queries all others by cosine similarity: P@k, mAP and R-precision.
With --positive only events of that label query, and kNN and linear probes tell them from the rest,
learned from other events than they are tested on. Files are made by extract_features.py --events.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.utils import atomic_write
from rsmm.utils.text import write_rows


def main() -> None:
    """Parse arguments, score, print a table and write it."""
    parser = argparse.ArgumentParser(description='Whether events of a kind find each other.')
    parser.add_argument('features', nargs='+', help='npz of extract_features.py --events')
    parser.add_argument('--labels', required=True, help='CSV with event and a column of labels')
    parser.add_argument('--column', default='label', help='column of the labels')
    parser.add_argument('--positive', help='label whose events query (default: all)')
    parser.add_argument('--k', nargs='+', type=int, default=[25], help='depths of P@k')
    parser.add_argument('--seeds', type=int, default=5, help='splits of the probes')
    parser.add_argument('--out', help='CSV to write')
    args = parser.parse_args()
    from rsmm.inference.event_scores import labelled_scores

    rows = []
    for path in args.features:
        scores, note = labelled_scores(
            path, args.labels, args.column, args.positive, args.k, args.seeds
        )
        rows.append({'features': Path(path).stem, **scores})
        if note:
            print(f'{path}: {note}')
    for row in rows:
        values = (
            f'{name} {value}' if isinstance(value, int) else f'{name} {100 * value:.1f}'
            for name, value in row.items()
            if name != 'features'
        )
        print(f'{row["features"]}: {", ".join(values)}')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(args.out, 'w', encoding='utf-8', newline='') as file:
            write_rows(file, rows[0], rows)


if __name__ == '__main__':
    sys.exit(guarded(main))
