"""The command that writes toy data."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time

import pytest

from rsmm.errors import ConfigError
from rsmm.toy import WRITERS, get_writer


@pytest.fixture(scope='module')
def tool(repo_root):
    path = repo_root / 'tools' / 'misc' / 'make_toy_data.py'
    spec = importlib.util.spec_from_file_location('make_toy_data', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_every_writer_loads(name):
    assert callable(get_writer(name))


def test_unknown_writer_is_named_and_others_listed(tool, capsys):
    with pytest.raises(ConfigError, match="Did you mean 'eurosat'.*Known writers: .*eurosat"):
        get_writer('eurosatt')
    assert tool.main(['eurosatt', '--out', 'x']) == 1
    assert "Did you mean 'eurosat'" in capsys.readouterr().err


def test_writes_once(repo_root, tmp_path):
    command = [
        sys.executable, str(repo_root / 'tools' / 'misc' / 'make_toy_data.py'), 'eurosat',
        '--out', str(tmp_path / 'es'), '--chips-per-class', '1', '--seed', '5', '--products', 'rgb',
    ]  # fmt: skip
    first = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True)
    assert 'Wrote toy eurosat' in first.stdout
    assert len(list((tmp_path / 'es' / '2750').rglob('*.jpg'))) == 10
    start = time.perf_counter()
    second = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True)
    assert 'nothing to do' in second.stdout
    assert time.perf_counter() - start < 20  # two seconds on an idle machine


def test_refusals_exit_with_an_error(tool, tmp_path, capsys):
    (tmp_path / 'thesis.tex').write_text('years of work')
    assert tool.main(['eurosat', '--out', str(tmp_path), '--chips-per-class', '1']) == 1
    assert 'DataError' in capsys.readouterr().err
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [(['--help'], 'eurosat'), (['eurosat', '--help'], '--chips-per-class')],
)
def test_help_lists_writers_and_their_options(tool, capsys, arguments, expected):
    with pytest.raises(SystemExit) as stop:
        tool.main(arguments)
    assert stop.value.code == 0
    assert expected in capsys.readouterr().out
