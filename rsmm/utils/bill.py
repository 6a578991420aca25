"""The software bill of materials: what is installed for rsmm, as CycloneDX JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rsmm.errors import MissingDependencyError
from rsmm.utils.io import atomic_write
from rsmm.version import __version__


def installed_for(root: str = 'rsmm', extras: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return the installed distributions that one needs, itself left out, each with its own needs.

    Args:
        root: Name of the distribution.
        extras: Of the root.

    Raises:
        MissingDependencyError: The root, or something it needs, is not installed.
    """
    found: dict[str, list[str]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(canonicalize_name(root), tuple(extras))]
    seen: set[tuple] = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        needs = [*_needs(name, wanted)]
        found[name] = sorted({*found.get(name, []), *(need for need, _ in needs)})
        waiting += needs
    return dict(sorted(found.items()))


def _needs(name: str, extras: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    needs: list[tuple[str, tuple[str, ...]]] = []
    for text in _distribution(name).requires or ():
        requirement = Requirement(text)
        environments = [{'extra': extra} for extra in (*extras, '')]
        marker = requirement.marker
        if marker is None or any(marker.evaluate(environment) for environment in environments):
            needs.append((canonicalize_name(requirement.name), tuple(sorted(requirement.extras))))
    return needs


def _distribution(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise MissingDependencyError(
            'is not installed', where=name, fix='Install rsmm with all it needs first'
        ) from error


def bill_of_materials(root: str = 'rsmm', extras: Sequence[str] = ()) -> dict:
    """Return the bill as CycloneDX 1.6: name, version, licence and address of every part.

    The hash of a part is that of its ``RECORD``, the list of its installed files and their hashes.
    """
    needs = installed_for(root, extras)
    own = canonicalize_name(root)
    return {
        'bomFormat': 'CycloneDX',
        'specVersion': '1.6',
        'version': 1,
        'metadata': {'component': _component(own, version=__version__ if own == 'rsmm' else None)},
        'components': [_component(name) for name in needs if name != own],
        'dependencies': [
            {'ref': _address(name), 'dependsOn': [_address(need) for need in found]}
            for name, found in needs.items()
        ],
    }


def _address(name: str) -> str:
    return f'pkg:pypi/{name}@{_distribution(name).version}'


def _component(name: str, version: str | None = None) -> dict:
    part = _distribution(name)
    about: dict[str, Any] = {
        'type': 'library',
        'bom-ref': _address(name),
        'name': name,
        'version': version or part.version,
        'purl': _address(name),
    }
    facts: Any = part.metadata
    licence = facts.get('License-Expression') or facts.get('License')
    if licence:
        about['licenses'] = [{'license': {'name': licence.splitlines()[0][:100]}}]
    record = part.read_text('RECORD')
    if record:
        digest = hashlib.sha256(record.encode()).hexdigest()
        about['hashes'] = [{'alg': 'SHA-256', 'content': digest}]
    return about


def write_bill(path: str | Path, root: str = 'rsmm', extras: Sequence[str] = ()) -> int:
    """Write the bill; return its number of parts."""
    bill = bill_of_materials(root, extras)
    with atomic_write(path, 'w', encoding='utf-8') as file:
        json.dump(bill, file, indent=1)
        file.write('\n')
    return len(bill['components'])
