"""Make a list of BigEarthNet patches with labels, place and date from a split pickle or the folder.

Examples:
    python tools/dataset_converters/bigearthnet_lists.py train0.01_lb_43.pkl --out lists/lb_1.csv
    python tools/dataset_converters/bigearthnet_lists.py BigEarthNet-v1.0/ --out lists/all.csv

A pickle is read without running anything it carries; one that carries code is refused.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main() -> None:
    """Parse arguments, write the list, say how long it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='a split pickle, or the folder of the patches')
    parser.add_argument('--out', required=True, help='CSV to write')
    args = keep_arguments(parser.parse_args())
    from rsmm.datasets.bigearthnet_lists import convert_split, list_folder

    make = list_folder if Path(args.source).is_dir() else convert_split
    print(f'{make(args.source, args.out)} patches: {args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
