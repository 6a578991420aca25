"""Pack a dataset for fast reading: python tools/dataset_converters/pack_dataset.py CONFIG --out DIR

Afterwards set packed=DIR in the config, or on the command line: --cfg-options packed=DIR
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def main() -> None:
    """Parse arguments, pack, say how to use the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config whose training dataset is packed, all splits of it')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--overwrite', action='store_true', help='replace an existing pack')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args())
    from rsmm.apis.config import default_scope, load_config
    from rsmm.datasets.packing import pack_from_config

    config = load_config(args.config, args.cfg_options)
    with default_scope(config):
        pack = pack_from_config(config, args.out, overwrite=args.overwrite)
    print(f'{len(pack)} images, bands {", ".join(pack.bands)}: {args.out}')
    print(f'Next: python tools/train.py CONFIG --cfg-options packed={args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
