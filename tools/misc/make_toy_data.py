"""Write a toy dataset: one procedural world in the published layout of a real dataset.

Example:
    python tools/misc/make_toy_data.py eurosat --out data/toy/eurosat --chips-per-class 200
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time

from rsmm.errors import RsmmError
from rsmm.toy import WRITERS, get_writer


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; the options after the name come from the writer's signature."""
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument('dataset', help=f'one of: {", ".join(sorted(WRITERS))}')
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog='Each dataset has further options: make_toy_data.py DATASET --help lists them.',
        parents=[name],
    )
    parser.add_argument('--out', help='folder to write (default: data/toy/<dataset>)')
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and not arguments[0].startswith('-'):
        writer = get_writer(name.parse_known_args(arguments)[0].dataset)
        parser.set_defaults(writer=writer)
        for option in list(inspect.signature(writer).parameters.values())[1:]:
            _add_option(parser, option.name, option.default)
    return parser.parse_args(arguments)


def _add_option(parser: argparse.ArgumentParser, name: str, default) -> None:
    flag = f'--{name.replace("_", "-")}'
    if isinstance(default, (tuple, list)):
        parser.add_argument(flag, nargs='+', default=default, help=f'default: {" ".join(default)}')
    else:
        parser.add_argument(flag, type=type(default), default=default, help=f'default: {default}')


def main(argv: list[str] | None = None) -> int:
    """Write the dataset; returns the exit code."""
    try:
        options = vars(parse_args(argv))
        dataset, writer = options.pop('dataset'), options.pop('writer')
        out = options.pop('out') or f'data/toy/{dataset}'
        start = time.perf_counter()
        written = writer(out, **options)
    except RsmmError as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 1
    if written:
        print(f'Wrote toy {dataset} to {out} in {time.perf_counter() - start:.1f} s')
    else:
        print(f'{out} already holds this toy {dataset}; nothing to do')
    return 0


if __name__ == '__main__':
    sys.exit(main())
