"""Whether clusters of features are classes: python tools/analysis_tools/cluster_purity.py
feats.npz [more.npz ...] --k 10 20 40 80 --seeds 5

K-means with 10 restarts on the features as they are; purity, normalised mutual information and
adjusted Rand index, mean and deviation over the seeds. Files are made by extract_features.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.utils import atomic_write
from rsmm.utils.text import write_rows

FIELDS = ('features', 'k', 'purity', 'purity_std', 'nmi', 'nmi_std', 'ari', 'ari_std')


def main() -> None:
    """Parse arguments, cluster, print a table and write it."""
    parser = argparse.ArgumentParser(description='Whether clusters of features are classes.')
    parser.add_argument('features', nargs='+', help='npz of extract_features.py')
    parser.add_argument('--k', nargs='+', type=int, default=[10, 20, 40, 80], help='clusters')
    parser.add_argument('--seeds', type=int, default=5, help='runs, seeds 42, 43, ...')
    parser.add_argument('--out', help='CSV to write')
    args = parser.parse_args()
    from rsmm.evaluation.functional.clustering import purity_table
    from rsmm.inference.folder_features import load_features

    rows = []
    for path in args.features:
        _, features, labels = load_features(path)
        found = purity_table(features, labels, args.k, range(42, 42 + max(1, args.seeds)))
        rows += [{'features': Path(path).stem, **row} for row in found]
    width = max(len(row['features']) for row in rows)
    print(f'{"features":{width}}    k  purity          NMI             ARI')
    for row in rows:
        scores = '  '.join(
            f'{100 * row[name]:5.2f} +- {100 * row[f"{name}_std"]:4.2f}'
            for name in ('purity', 'nmi', 'ari')
        )
        print(f'{row["features"]:{width}}  {row["k"]:3d}  {scores}')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(args.out, 'w', encoding='utf-8', newline='') as file:
            write_rows(file, FIELDS, rows)


if __name__ == '__main__':
    sys.exit(guarded(main))
