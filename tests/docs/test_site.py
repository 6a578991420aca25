"""The pages as a whole: they build without a warning, and what they point to exists."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from rsmm.registry import entry_index
from tests.docs.blocks import REPO, blocks_of

PAGES = sorted(
    path.relative_to(REPO).as_posix()
    for path in [*REPO.glob('*.md'), *REPO.glob('docs/**/*.md'), *REPO.glob('configs/**/README.md')]
)
_LINK = re.compile(r'\]\((?!https?:|#|mailto:)([^)#\s]+)')
_PATH = re.compile(r'(?<![\w/.-])((?:configs|tools|rsmm|benchmarks|requirements|docs)/[\w./-]+\w)')


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
    pytest.importorskip('sphinx', reason='install requirements/docs.txt to build the pages')
    pytest.importorskip('myst_parser')
    pytest.importorskip('furo')
    # -d keeps Sphinx's own cache out of the checkout; the stubs of the reference go to docs/api.
    command = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html']
    command += ['-d', str(tmp_path / 'doctrees'), str(REPO / 'docs'), str(tmp_path / 'html')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / 'html' / 'api' / 'rsmm.sensors.html').is_file()


def test_the_reference_lists_every_module_and_entry():
    made = runpy.run_path(str(REPO / 'docs/generate_reference.py'))
    text = made['reference_text']()
    rooms = made['public_modules'](REPO)
    assert {path.name for path in (REPO / 'rsmm').iterdir() if (path / '__init__.py').exists()} <= {
        *rooms
    }
    for name in ('rsmm.geo.raster', 'rsmm.apis.model', 'rsmm.models.channels', 'rsmm.sensors'):
        assert f'   {name}\n' in text
    assert text.count('\n| ') == len(entry_index()) + 1


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    path = REPO / page
    broken = [
        link
        for link in _LINK.findall(path.read_text(encoding='utf-8'))
        if not (path.parent / link).exists()
    ]
    assert not broken


@pytest.mark.parametrize('page', PAGES)
def test_named_files_exist(page):
    path = REPO / page
    written = {block.file for block in blocks_of(path)}
    named = set(_PATH.findall(path.read_text(encoding='utf-8'))) - written
    absent = [name for name in named if not exists(name)]
    assert not sorted(absent)


def exists(name: str) -> bool:
    """Whether a path is there, or is made by building the pages."""
    return name in ('docs/_build', 'docs/reference.md') or (REPO / name).exists()


@pytest.mark.parametrize(
    'folder', sorted(path.parent.name for path in REPO.glob('configs/*/metafile.yml'))
)
def test_every_folder_of_experiments_has_a_page(folder):
    assert (REPO / 'configs' / folder / 'README.md').is_file()


def test_no_page_names_a_machine():
    for page in PAGES:
        text = (REPO / page).read_text(encoding='utf-8')
        assert not re.search(r'(?<!\w)/(?:home|root|work|Users)/', text), page


def test_figure_is_drawn_by_its_script(tmp_path):
    script = (REPO / 'docs/figures/idea.py').read_text(encoding='utf-8')
    (tmp_path / 'idea.py').write_text(script, encoding='utf-8')
    subprocess.run([sys.executable, 'idea.py'], cwd=tmp_path, check=True, capture_output=True)
    assert Path(tmp_path / 'idea.svg').read_text().startswith('<?xml')
