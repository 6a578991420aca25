"""See what the model sees: python tools/visualizations/browse_dataset.py CONFIG [--bands NAME ...]

Writes a page of samples after the pipeline and prints the range of values of every band before and
after the data preprocessor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main() -> None:
    """Parse arguments, draw the page, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('--split', default='train', help='train, val or test dataloader')
    parser.add_argument('--num', type=int, default=16, help='number of samples')
    parser.add_argument('--bands', nargs='+', help='one or three names (default: natural colour)')
    parser.add_argument('--epoch', type=int, default=0, help='epoch whose augmentations are drawn')
    parser.add_argument('--seed', type=int, default=0, help='seed of the run')
    parser.add_argument('--out', help='PNG (default: work_dirs/browse/CONFIG_SPLIT.png)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args())
    from rsmm.apis.config import default_scope, load_config
    from rsmm.visualization.browse import browse_config

    out = args.out or f'work_dirs/browse/{Path(args.config).stem}_{args.split}.png'
    config = load_config(args.config, args.cfg_options)
    with default_scope(config):
        table = browse_config(config, out, args.split, args.num, args.bands, args.epoch, args.seed)
    print(table)
    print(out)


if __name__ == '__main__':
    sys.exit(guarded(main))
