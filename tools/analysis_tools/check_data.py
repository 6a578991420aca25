"""List every file of a dataset with what would go wrong; exits with 1 on errors.

Examples:
    python tools/analysis_tools/check_data.py FOLDER --out check.html
    python tools/analysis_tools/check_data.py FOLDER --verify
    python tools/analysis_tools/check_data.py CONFIG --splits train val --cfg-options data_root=DIR
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.errors import ConfigError
from rsmm.utils.outputs import keep_arguments


def main(argv: list[str] | None = None) -> None:
    """Check, print the table, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('target', help='config, or folder of images and labels')
    parser.add_argument('--splits', nargs='+', default=['train', 'val', 'test'])
    parser.add_argument('--out', help='HTML page with a row per file')
    parser.add_argument('--limit', type=int, default=50, help='findings printed')
    parser.add_argument(
        '--verify',
        action='store_true',
        help='compare a folder with the hashes in it instead: of packs and shards, SHA256SUMS, ...',
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args(argv))
    if args.verify:
        sys.exit(_verify(args.target))
    from rsmm.apis.check_data import check_data
    from rsmm.visualization.check_page import as_text, write_check_page

    check = check_data(args.target, args.splits, args.cfg_options)
    print(as_text(check, args.limit))
    if args.out:
        write_check_page(args.out, check)
        print(f'Written to {args.out}')
    if check.count('error'):
        sys.exit(1)


def _verify(folder: str) -> int:
    from rsmm.datasets.checksums import verify

    good, bad = verify(folder)
    for error in bad:
        print(error)
    print(f'{good} files are as their hashes say, {len(bad)} are not')
    if not good and not bad:
        raise ConfigError('holds no hashes to compare with', where=folder)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(guarded(main))
