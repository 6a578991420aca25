"""Outputs: never in the place of an input, and under their name only once they are complete."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from rsmm.errors import ConfigError, DataError
from rsmm.utils.io import atomic_write

#: Options of the tools that name what is written; all others name what is read.
OUTPUTS = ('out', 'out_dir', 'page', 'show_dir', 'work_dir')


def keep_inputs(out: str | PathLike, inputs: Iterable[str | PathLike]) -> None:
    """Refuse to write where an input lies, also through a link or in other letters.

    Args:
        out: File about to be written.
        inputs: Files that are read.

    Raises:
        ConfigError: It is one of them.
    """
    for path in inputs:
        if _same(out, path):
            raise ConfigError(
                f'would replace an input of the same name ({path})',
                where=out,
                fix='Choose another output',
            )


def _same(one: str | PathLike, other: str | PathLike) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def keep_arguments(args: argparse.Namespace) -> argparse.Namespace:
    """Check a command line: no output is the same file as another argument.

    Returns:
        The arguments.

    Raises:
        ConfigError: See :func:`keep_inputs`.
    """
    named = vars(args)
    inputs = [path for key, value in named.items() if key not in OUTPUTS for path in _files(value)]
    for key in OUTPUTS:
        for out in _texts(named.get(key)):
            keep_inputs(out, inputs)
    return args


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _files(value: object) -> list[str]:
    """Existing files among the values of an argument; ``name=config:file`` counts, too."""
    parts = [part for text in _texts(value) for part in (text, *text.replace('=', ':').split(':'))]
    return [part for part in parts if part and os.path.isfile(part)]


def save_figure(figure, path: str | Path, **settings) -> Path:
    """Write a Matplotlib figure in the format of its suffix; the file appears once complete.

    Args:
        figure: Matplotlib's.
        path: PNG, SVG, PDF or what else Matplotlib writes; folders are made.
        **settings: Of ``Figure.savefig``.

    Raises:
        ConfigError: An unknown suffix.
    """
    path = Path(path)
    kinds = figure.canvas.get_supported_filetypes()
    kind = path.suffix[1:].lower() or 'png'
    if kind not in kinds:
        raise ConfigError(
            f'cannot draw {path.suffix!r}', where=path, fix=f'Known: {", ".join(sorted(kinds))}'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        figure.savefig(file, format=kind, **settings)
    return path


def save_picture(image, path: str | Path, **settings) -> Path:
    """Write a Pillow image in the format of its suffix; the file appears once complete."""
    from PIL import Image

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        image.save(file, format=Image.registered_extensions()[path.suffix.lower()], **settings)
    return path


def plain_name(name: str, where: str | Path, fix: str) -> str:
    """Return a name that becomes a folder or file of an output.

    Raises:
        ConfigError: It is no single plain name: it leads elsewhere, is hidden, or holds characters
            that no file name should.
    """
    parts = name.replace('\\', '/').split('/')
    bad = len(parts) > 1 or name.startswith('.') or not name.strip() or not name.isprintable()
    if bad or name != name.strip() or len(os.fsencode(name)) > 200:
        raise ConfigError(f'{name!r} cannot be the name of a folder', where=where, fix=fix)
    return name


def names_as_lines(names: Sequence[str], where: str | Path) -> str:
    """Join names to a text of one a line.

    Raises:
        DataError: A name that holds a line break, and would be read back as two.
    """
    for name in names:
        if name.splitlines() != [name]:
            raise DataError(
                f'{name!r} holds a line break and cannot stand in a list of names',
                where=where,
                fix='Rename the file',
            )
    return '\n'.join(names) + '\n'
