"""Draw the scalars that one or more trainings logged.

Example:
    python tools/analysis_tools/log_curves.py work_dirs/a work_dirs/b --names loss accuracy/top1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.errors import ConfigError
from rsmm.utils.outputs import keep_arguments, save_figure


def main() -> None:
    """Parse arguments, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('runs', nargs='+', help='work folders or scalars.json files')
    parser.add_argument('--names', nargs='+', help='scalars (default: loss and validation metrics)')
    parser.add_argument('--legend', nargs='+', help='names of the runs (default: their folders)')
    parser.add_argument('--out', default='curves.png', help='PNG, SVG or PDF')
    args = keep_arguments(parser.parse_args())
    from rsmm.visualization.curves import draw_curves, read_log

    legend = args.legend or [str(Path(run)) for run in args.runs]
    if len(legend) != len(args.runs) or len(set(legend)) < len(legend):
        raise ConfigError(f'{len(args.runs)} runs need as many different names', where='--legend')
    logs = {name: read_log(run) for name, run in zip(legend, args.runs, strict=True)}
    save_figure(draw_curves(logs, args.names), args.out)
    print(args.out)


if __name__ == '__main__':
    sys.exit(guarded(main))
