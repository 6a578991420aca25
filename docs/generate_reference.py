"""Writes reference.md from the source of the package: python docs/generate_reference.py

``conf.py`` runs it before the pages are built, so no module and no registry entry is forgotten.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Rooms in the order in which a reader meets them.
ROOMS = {
    'apis': 'Entry points',
    'inference': 'Trained models over files and scenes',
    'studies': 'Chains of several runs',
    'datasets': 'Data',
    'models': 'Models',
    'engine': 'Running',
    'checkpoints': 'Checkpoints',
    'evaluation': 'Evaluation',
    'discovery': 'Discovery',
    'geo': 'Rasters, vectors, maps',
    'ops': 'Operators',
    'toy': 'ToyEarth',
    'visualization': 'Figures and pages',
    'utils': 'Small helpers',
    '': 'Bands, registries, errors',
}
HEAD = """# API reference

Public functions and classes, from their docstrings. Entries of a registry are named in configs by
their class name; the table at the end says where each lives.
"""


def public_modules(root: Path) -> dict[str, list[str]]:
    """Map each room to its modules that define a public function or class."""
    rooms: dict[str, list[str]] = {room: [] for room in ROOMS}
    for path in sorted((root / 'rsmm').rglob('*.py')):
        parts = path.relative_to(root).with_suffix('').parts
        if path.stem == '__init__' or any(part.startswith('_') for part in parts):
            continue
        body = ast.parse(path.read_text(encoding='utf-8')).body
        kinds = (ast.FunctionDef, ast.ClassDef)
        if any(isinstance(node, kinds) and node.name[0] != '_' for node in body):
            rooms[parts[1] if len(parts) > 2 else ''].append('.'.join(parts))
    return rooms


def entries_table() -> str:
    """Lay out the registry index: entry, registry, module."""
    sys.path.insert(0, str(ROOT))
    from rsmm.registry import entry_index

    rows = sorted(entry_index().items())
    lines = ['| registry | entry | module |', '|---|---|---|']
    lines += [f'| {registry} | `{name}` | `{module}` |' for (registry, name), module in rows]
    return '\n'.join(lines)


def reference_text() -> str:
    """Return the page."""
    parts = [HEAD]
    for room, modules in public_modules(ROOT).items():
        listed = '\n'.join(f'   {module}' for module in modules)
        parts.append(
            f'## {ROOMS[room]}\n\n```{{eval-rst}}\n.. autosummary::\n   :toctree: api\n'
            f'   :template: module.rst\n\n{listed}\n```\n'
        )
    parts.append(f'## Entries of the registries\n\n{entries_table()}\n')
    return '\n'.join(parts)


def write_reference() -> None:
    """Write the page beside this file, unless it is as it should be."""
    path, text = ROOT / 'docs' / 'reference.md', reference_text()
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        path.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    write_reference()
