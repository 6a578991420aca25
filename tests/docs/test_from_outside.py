"""A package of one's own brings a method with all its parts; nothing in rsmm is edited."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.docs.blocks import REPO, blocks_of

PAGE = REPO / 'docs/from_outside.md'
FILES = {block.file: block.text for block in blocks_of(PAGE) if block.file}
CONFIG = 'my_seasons/season-moco_resnet18_stacks.py'
PARTS = ('my_seasons/dates.py', 'my_seasons/data.py', 'my_seasons/model.py')


def run(folder: Path, *command: str, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess:
    places = os.pathsep.join(str(place) for place in (*path, REPO))
    environment = {**os.environ, 'PYTHONPATH': places, 'OMP_NUM_THREADS': '1'}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page and the stacks; configs and tools are those of the repository."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding='utf-8')
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(REPO / name)
    assert run(tmp_path, 'my_seasons/make_stacks.py').returncode == 0
    return tmp_path


def test_an_installed_package_trains(project: Path) -> None:
    """Installed into a folder of its own by pip, away from the config that names it."""
    (project / 'setup.py').write_text(
        'from setuptools import setup\nsetup(name="my-seasons", packages=["my_seasons"])\n'
    )
    site = project / 'site'
    install = ('-m', 'pip', 'install', '--quiet', '--no-build-isolation', '--no-deps')
    done = run(project, *install, '--target', str(site), '.')
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (site / 'my_seasons').glob('*.py')} >= {'dates.py', 'model.py'}
    for part in PARTS:
        (project / part).unlink()
    done = run(project, 'tools/train.py', CONFIG, '--work-dir', 'out', path=(site,))
    assert done.returncode == 0, done.stderr[-3000:]
    # Eight places in one batch of eight: one step, after which the queue holds eight keys.
    state = torch.load(project / 'out/epoch_1.pth', weights_only=True)
    assert state['meta']['iter'] == 1
    assert state['state_dict']['queue_ptr'].tolist() == [[8]]


def test_a_rule_that_no_import_brought_is_named(project: Path) -> None:
    text = (project / CONFIG).read_text()
    parts = "'my_seasons.dates', 'my_seasons.data', 'my_seasons.model'"
    assert parts in text
    (project / CONFIG).write_text(text.replace(parts, "'my_seasons.data'"))
    (project / CONFIG).write_text((project / CONFIG).read_text().replace('SeasonMoCo', 'MoCo'))
    done = run(project, 'tools/train.py', CONFIG, '--work-dir', 'out', path=(project,))
    assert done.returncode != 0
    assert "'half_year' is not an entry of the date rule registry" in done.stderr
    assert 'custom_imports' in done.stderr


def test_the_page_counts_its_lines() -> None:
    told = re.search(r'five entries take (\d+) lines.*the config (\d+)', PAGE.read_text(), re.S)
    assert [int(number) for number in told.groups()] == [
        sum(lines_of(FILES[part]) for part in PARTS),
        lines_of(FILES[CONFIG]),
    ]


def lines_of(source: str) -> int:
    """Lines of code: blank lines, comments and docstrings are left out."""
    kept = {n for n, line in enumerate(source.splitlines(), 1) if line.split('#')[0].strip()}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            kept -= set(range(node.lineno, node.end_lineno + 1))
    return len(kept)
