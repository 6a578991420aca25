"""The files with hashes hold the versions that were tested, each part with a hash, and no index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

VERSIONS = ('3.10', '3.11', '3.12')


def pinned(path: Path, python: str) -> dict[str, str]:
    """Versions by name, of the lines that are for a version of Python on Linux."""
    found = {}
    for line in path.read_text().splitlines():
        text = line.split('#')[0].split(' \\')[0].strip()
        if not text or text.startswith('--'):
            continue
        requirement = Requirement(text)
        environment = {
            'python_version': python,
            'python_full_version': f'{python}.0',
            'sys_platform': 'linux',
            'platform_system': 'Linux',
        }
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found[requirement.name.lower()] = str(requirement.specifier)
    return found


@pytest.mark.parametrize('python', VERSIONS)
def test_versions_are_those_that_were_tested(repo_root, python):
    tested = pinned(repo_root / 'requirements/constraints.txt', python)
    hashed = pinned(repo_root / f'requirements/hashed-{python}.txt', python)
    assert len(hashed) > 50
    assert {name: hashed[name] for name in hashed if name in tested} == {
        name: tested[name] for name in hashed if name in tested
    }
    # torch pins its own CUDA packages, which the constraints leave to it.
    others = {name for name in hashed if name not in tested}
    assert all(name.startswith(('nvidia', 'cuda', 'triton')) for name in others), others


@pytest.mark.parametrize('python', VERSIONS)
def test_every_part_has_hashes_and_no_address(repo_root, python):
    text = (repo_root / f'requirements/hashed-{python}.txt').read_text()
    assert '://' not in text
    blocks = re.split(r'\n(?=[a-z])', text.split('\n', 2)[2])
    assert all(re.search(r'--hash=sha256:[0-9a-f]{64}', block) for block in blocks)
