"""Command line of ``tools/zoo.py``: list, show, download, verify and card."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.apis.entries import ZooEntry, find_model, list_models, zoo_entries, zoo_root
from rsmm.apis.zoo_files import file_name, weights_file
from rsmm.errors import RsmmError


def zoo_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/zoo.py``."""
    args = _parser().parse_args(argv)
    return guarded(lambda: args.command(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='The model zoo: what there is, and fetching it.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    def add(name: str, command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    sub = add('list', _list, 'Name the entries, those with weights first.')
    sub.add_argument('pattern', nargs='?', default='*', help="shell pattern, e.g. '*eurosat*'")
    sub.add_argument('--weights', action='store_true', help='only entries with weights to fetch')
    sub = add('show', _show, 'Print what is known of an entry.')
    sub.add_argument('name')
    sub = add('download', _download, 'Fetch the released file of an entry.')
    sub.add_argument('name')
    sub.add_argument('--dest', help='folder to copy it to (default: leave it in the cache)')
    sub.add_argument('--sha256', help='hash it must have, whole or its first 8 or more digits')
    sub = add('verify', _verify, 'Check hashes, and that the weights load into their configs.')
    sub.add_argument('names', nargs='*', help='default: the weights that travel with the tree')
    sub.add_argument('--hash-only', action='store_true', help='do not build the models')
    sub = add('card', _card, "Print an entry's model card.")
    sub.add_argument('name')
    return parser


def _list(args: argparse.Namespace) -> None:
    entries = zoo_entries()
    for name in sorted(list_models(args.pattern), key=lambda name: not entries[name].weights):
        entry = entries[name]
        if entry.weights or not args.weights:
            print(f'{name:56} {_source(entry)}'.rstrip())


def _source(entry: ZooEntry) -> str:
    if entry.weights is None:
        return 'by hand' if entry.metadata.get('Download Page') else ''
    return 'here' if carried(entry) else 'to fetch'


def carried(entry: ZooEntry) -> bool:
    """Tell whether an entry's file travels with this installation."""
    return entry.weights is not None and (zoo_root() / 'zoo' / file_name(entry)).is_file()


def _show(args: argparse.Namespace) -> None:
    for key, value in facts(find_model(args.name)).items():
        print(f'{key:14} {value}')


def facts(entry: ZooEntry) -> dict[str, object]:
    """Return what is known of an entry, line by line, as ``show`` prints it."""
    known = {
        'name': entry.name,
        'config': entry.config.relative_to(zoo_root()),
        'weights': entry.weights,
        'sha256': entry.sha256,
        'md5': entry.md5,
        'converter': entry.converter,
        **entry.options,
        **{key.lower(): value for key, value in entry.metadata.items()},
    }
    for result in entry.results:
        metrics = ', '.join(f'{name} {value}' for name, value in result['Metrics'].items())
        known[f'on {result["Dataset"]}'] = metrics
    return {key: value for key, value in known.items() if value is not None}


def _download(args: argparse.Namespace) -> None:
    file = weights_file(find_model(args.name), args.sha256)
    if args.dest:
        Path(args.dest).mkdir(parents=True, exist_ok=True)
        file = Path(shutil.copy2(file, args.dest))
    print(file)


def _verify(args: argparse.Namespace) -> None:
    entries = zoo_entries()
    names = args.names or [name for name, entry in entries.items() if carried(entry)]
    failed = []
    for name in names:
        try:
            verify(find_model(name), load=not args.hash_only)
            print(f'ok      {name}')
        except RsmmError as error:
            failed.append(name)
            print(f'FAILED  {name}: {error}')
    if failed:
        raise RsmmError(f'{len(failed)} of {len(names)} failed: {", ".join(failed)}')


def verify(entry: ZooEntry, load: bool = True) -> None:
    """Check an entry's file against its hash and, if wanted, that it loads into its config.

    Raises:
        RsmmError: It does not; the error says why.
    """
    weights_file(entry)
    if load:
        from rsmm.apis.zoo import get_model

        get_model(entry.name, pretrained=True)


def _card(args: argparse.Namespace) -> None:
    print(card(find_model(args.name)), end='')


def card(entry: ZooEntry) -> str:
    """Return an entry's card: the one written for it, else a table of what the metafile says."""
    written = zoo_root() / 'zoo' / f'{entry.name}.md'
    if written.is_file():
        return written.read_text(encoding='utf-8')
    rows = [f'| {key} | {value} |' for key, value in facts(entry).items() if key != 'name']
    return '\n'.join([f'# {entry.name}', '', '| | |', '|---|---|', *rows, ''])
