"""Figures of contrastive runs: python tools/visualizations/contrastive.py FIGURE ... --out PNG

views CONFIG --out PNG                views of four samples as the model sees them
groups CONFIG --out PNG               band groups and LBP groups of a sample (SACo+)
ratios CHECKPOINT --out PNG           CACo's change ratios and their mixture
neighbours CONFIG CHECKPOINT --out PNG   nearest neighbours before and after pretraining
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments

#: What each figure is drawn from.
SOURCES = {
    'views': ('config',),
    'groups': ('config',),
    'ratios': ('checkpoint',),
    'neighbours': ('config', 'checkpoint'),
}


def main() -> None:
    """Parse arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='figure', required=True)
    for name, sources in SOURCES.items():
        command = commands.add_parser(name)
        for source in sources:
            command.add_argument(source)
        command.add_argument('--out', required=True, help='PNG to write')
        if 'config' in sources:
            command.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
        if name == 'ratios':
            command.add_argument('--truth', help='truth.csv of a toy archive')
    args = vars(keep_arguments(parser.parse_args()))
    from rsmm.studies.figures import contrastive

    draw = getattr(contrastive, f'draw_{args["figure"]}')
    sources = SOURCES[args['figure']]
    options = {'options': args['cfg_options']} if 'config' in sources else {}
    if 'truth' in args:
        options['truth'] = args['truth']
    draw(*(args[source] for source in sources), args['out'], **options)
    print(args['out'])


if __name__ == '__main__':
    sys.exit(guarded(main))
