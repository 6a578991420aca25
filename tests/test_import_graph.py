"""The floors of the package: a module imports its own room and floors below, never in a circle.

The graph is read from the source, imports inside functions included: they hide a climb from the
interpreter, not from a reader.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Rooms from the ground floor up; those of one floor do not import each other, the ground excepted.
FLOORS = (
    ('registry', 'neighbours', 'ops', 'sensors', 'utils', 'errors', 'version'),
    ('discovery',),
    ('geo', 'checkpoints'),
    ('datasets',),
    ('models', 'toy'),
    ('evaluation', 'visualization'),
    ('engine',),
    ('apis',),
    ('inference',),
    ('studies',),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def module_files(root: Path) -> dict[str, Path]:
    """Map dotted names to files."""
    names = {}
    for path in sorted((root / 'rsmm').rglob('*.py')):
        parts = path.relative_to(root).with_suffix('').parts
        names['.'.join(parts).removesuffix('.__init__')] = path
    return names


def imports_of(tree: ast.AST, modules: set[str]) -> set[str]:
    """Modules of the package that a syntax tree imports, whether for a name or as a whole."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f'{node.module}.{alias.name}'
                found.add(whole if whole in modules else node.module)
    return {name for name in found if name in modules}


def import_graph(root: Path) -> dict[str, set[str]]:
    files = module_files(root)
    return {
        name: imports_of(ast.parse(path.read_text(encoding='utf-8')), set(files)) - {name}
        for name, path in files.items()
    }


def room(module: str) -> str:
    return module.split('.')[1] if '.' in module else ''


def climbs(graph: dict[str, set[str]]) -> list[str]:
    """Imports that leave their room for one that is not on a lower floor."""
    return sorted(
        f'{source} imports {target}'
        for source, targets in graph.items()
        for target in targets
        if room(source)
        and room(target)
        and room(source) != room(target)
        and not (FLOOR[room(source)] == 0 == FLOOR[room(target)])
        and FLOOR[room(source)] <= FLOOR[room(target)]
    )


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other (Tarjan's strongly connected components)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def test_every_room_has_a_floor():
    rooms = {room(name) for name in module_files(ROOT)} - {''}
    assert rooms - set(FLOOR) == set()


def test_no_import_climbs():
    assert climbs(import_graph(ROOT)) == []


def test_no_circles():
    assert circles(import_graph(ROOT)) == []


@pytest.mark.parametrize(
    ('files', 'climbing', 'circling'),
    [
        ({'geo/a.py': 'def f():\n    from rsmm.datasets.b import g', 'datasets/b.py': ''}, 1, 0),
        ({'geo/a.py': 'from rsmm.datasets import b', 'datasets/b.py': 'import rsmm.geo.a'}, 1, 1),
        ({'models/a.py': 'import rsmm.toy.b', 'toy/b.py': ''}, 1, 0),
        ({'datasets/a.py': 'from rsmm.geo.b import x', 'geo/b.py': ''}, 0, 0),
    ],
)
def test_the_graph_sees_climbs_and_circles(tmp_path, files, climbing, circling):
    tree = defaultdict(str, files)
    for name, text in tree.items():
        path = tmp_path / 'rsmm' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    graph = import_graph(tmp_path)
    assert (len(climbs(graph)), len(circles(graph))) == (climbing, circling)
