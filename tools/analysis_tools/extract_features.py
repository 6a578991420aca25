"""Features of all images below a folder: python tools/analysis_tools/extract_features.py
CONFIG CHECKPOINT FOLDER --out feats.npz

The file holds fnames (paths below the folder), feats (N, D) and labels (the folder of each image).
With --events the folder is one of change events: a row is a pair of dates, feats are those of both
dates where something changed, labels the events.
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main() -> None:
    """Parse arguments, extract, write."""
    parser = argparse.ArgumentParser(description='Features of all images below a folder.')
    parser.add_argument('config', help='config of a model with a backbone')
    parser.add_argument('checkpoint', help="file or address; 'random' takes the initial weights")
    parser.add_argument('folder', help='searched with its sub-folders, which name the classes')
    parser.add_argument('--out', required=True, help='npz to write')
    parser.add_argument('--events', action='store_true', help='the folder holds change events')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--seed', type=int, default=0, help='of random weights')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args())
    from rsmm.inference.event_features import event_features
    from rsmm.inference.folder_features import folder_features, save_features

    extract = event_features if args.events else folder_features
    names, features = extract(
        args.config,
        args.checkpoint,
        args.folder,
        args.cfg_options,
        batch_size=args.batch_size,
        seed=args.seed,
    )
    save_features(args.out, names, features)
    count, width = features.vectors.shape
    kind = 'pairs' if args.events else 'images'
    print(f'{count} {kind} of {len(features.classes)} folders, {width} features each: {args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
