"""Code blocks of the documentation, and a copy of the repository to run them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_FILE = re.compile(r'^# (\S+/\S+\.\w+)$')
_COPIED = ('rsmm', 'configs', 'tools', 'zoo')


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: Word after the fence.
        text: What stands between the fences.
        file: Path that the first line names (``# configs/x/y.py``), if it does.
        page: Name of the page, for messages.
        line: Line of the fence.
    """

    language: str
    text: str
    file: str | None
    page: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    source = page.read_text(encoding='utf-8')
    found = []
    for match in _FENCE.finditer(source):
        named = _FILE.match(match[2].partition('\n')[0])
        line = source.count('\n', 0, match.start()) + 1
        found.append(Block(match[1], match[2], named and named[1], page.name, line))
    return found


def copy_tree(target: Path) -> Path:
    """Copy what the commands of the documentation need of the repository."""
    for name in _COPIED:
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(REPO / name, target / name, ignore=ignored)
    (target / 'data').mkdir()
    return target


def run_page(page: Path, tree: Path) -> str:
    """Do what a page says, in a copy of the repository.

    Blocks that name a file are written to it, other Python and all bash blocks are run; blocks of
    another language are for the reader only.

    Returns:
        What the commands printed.

    Raises:
        AssertionError: A command failed; names page and line.
    """
    output = []
    for block in blocks_of(page):
        if block.file is not None:
            path = tree / block.file
            assert not path.exists(), f'{page.name} writes over {block.file}'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding='utf-8')
        elif block.language in ('bash', 'python'):
            output.append(run_block(block, tree))
    return '\n'.join(output)


def run_block(block: Block, tree: Path) -> str:
    """Run one block and return what it printed."""
    command = (
        ['bash', '-euo', 'pipefail', '-c'] if block.language == 'bash' else [sys.executable, '-c']
    )
    environment = {
        **os.environ,
        'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
        'PYTHONPATH': str(tree),  # the copy, not the installed package
        'OMP_NUM_THREADS': '1',
    }
    done = subprocess.run(
        [*command, block.text],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, (
        f'{block.page}:{block.line} failed\n{block.text}\n{printed[-4000:]}'
    )
    return printed
