"""The types hold: mypy over the whole package, strict where pyproject.toml says so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPO = Path(__file__).resolve().parents[1]
STRICT = (
    'rsmm.geo.*',
    'rsmm.ops.*',
    'rsmm.evaluation.functional.*',
    'rsmm.discovery.*',
    'rsmm.models.semisup.functional.*',
)


def mypy(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'mypy', '--config-file', str(REPO / 'pyproject.toml')]
    return subprocess.run([*command, *arguments], cwd=REPO, capture_output=True, text=True)


def test_no_finding_in_the_package() -> None:
    done = mypy()
    assert done.returncode == 0, done.stdout + done.stderr
    checked = re.search(r'no issues found in (\d+) source files', done.stdout)
    assert int(checked[1]) == len(list((REPO / 'rsmm').rglob('*.py')))


def test_strict_packages_are_held_to_annotations(tmp_path: Path) -> None:
    """The rules of the strict packages find what they are there for."""
    settings = tomllib.loads((REPO / 'pyproject.toml').read_text())['tool']['mypy']
    (strict,) = settings['overrides']
    assert set(strict['module']) == set(STRICT)
    flags = [f'--{name.replace("_", "-")}' for name, on in strict.items() if on is True]
    flags = [flag for flag in flags if 'optional' not in flag and 'reexport' not in flag]
    file = tmp_path / 'wrong.py'
    file.write_text('def area(side):\n    return side**2\n\n\nname: str | None = None\nlen(name)\n')
    done = mypy('--strict-optional', *flags, str(file))
    assert done.returncode == 1
    assert '[no-untyped-def]' in done.stdout
    assert '[arg-type]' in done.stdout


def test_an_ignored_finding_has_its_code_and_reason() -> None:
    for file in sorted((REPO / 'rsmm').rglob('*.py')):
        for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), 1):
            if 'type: ignore' in line:
                assert re.search(r'# type: ignore\[[a-z-]+\]  # .{8,}', line), f'{file}:{number}'
