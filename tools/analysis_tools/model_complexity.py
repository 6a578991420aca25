"""Count parameters and multiply-adds of a config's model.

Examples:
    python tools/analysis_tools/model_complexity.py configs/quickstart/4_finetune.py
    python tools/analysis_tools/model_complexity.py CONFIG --shape 13 120 120 --part backbone
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded


def main() -> None:
    """Parse arguments, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument(
        '--shape',
        nargs='+',
        type=int,
        default=(64, 64),
        help='[BANDS] HEIGHT WIDTH (default: 64 64 with as many bands as the model takes)',
    )
    parser.add_argument('--part', help='count one part alone, e.g. backbone')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    from rsmm.apis.complexity import config_complexity

    print(config_complexity(args.config, args.shape, args.part, args.cfg_options).table())


if __name__ == '__main__':
    sys.exit(guarded(main))
