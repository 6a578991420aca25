"""Mean and deviation of every band of a config's training images, in one pass.

Missing pixels are left out. The file is what `stats=` of a data preprocessor reads.

Example:
    python tools/analysis_tools/band_stats.py CONFIG --out data/own/stats.json
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main(argv: list[str] | None = None) -> None:
    """Read the images, print the table, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--split', default='train', help='train, val or test dataloader')
    parser.add_argument('--out', required=True, help='JSON file to write')
    parser.add_argument('--limit', type=int, help='use only so many images, spread over the set')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args(argv))
    from rsmm.apis.config import default_scope, load_config
    from rsmm.datasets.statistics import dataset_stats, write_stats

    config = load_config(args.config, args.cfg_options)
    with default_scope(config):
        table = dataset_stats(config[f'{args.split}_dataloader'].dataset, args.limit)
    write_stats(table, args.out)
    print(f'{"band":<8}{"mean":>12}{"deviation":>12}')
    for band, mean, std in zip(table['bands'], table['mean'], table['std'], strict=True):
        print(f'{band:<8}{mean:>12.5g}{std:>12.5g}')
    print(f'{table["pixels"]} pixels of {table["images"]} images, written to {args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
