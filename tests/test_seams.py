"""docs/seams.md is the whole truth of what rsmm uses of the frameworks' private parts."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rsmm.registry  # noqa: F401  mmdet can be imported from here on

REPO = Path(__file__).resolve().parents[1]
#: Private in looks alone: documented by Python, or an attribute that rsmm itself sets.
PUBLIC = {'_exit', '_replace', '_kind', '_input_facts'}
#: Writes that mmengine's datasets ask for: their subclasses fill in the meta information.
OF_SUBCLASSES = {'_metainfo', '_fully_initialized'}


def table(heading: str) -> list[list[str]]:
    """Cells of the rows of a table of the page, without backticks."""
    text = (REPO / 'docs/seams.md').read_text(encoding='utf-8').split(f'## {heading}\n')[1]
    rows = [line for line in text.split('\n## ')[0].splitlines() if line.startswith('| `')]
    return [[cell.strip().strip('`') for cell in row.strip('|').split('|')] for row in rows]


USED = table('Read, called and replaced')
OVERRIDDEN = table('Overridden')


def resolved(path: str):
    """The module, class or function of a dotted path."""
    parts = path.split('.')
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(path)


def source_of(owner: type) -> str:
    """Source of a class and its bases outside of Python itself."""
    return '\n'.join(inspect.getsource(base) for base in owner.__mro__ if base is not object)


# ------------------------------------------------------------------------ what rsmm's source uses


def trees() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted((REPO / 'rsmm').rglob('*.py')):
        yield str(file.relative_to(REPO)), ast.parse(file.read_text(encoding='utf-8'))


def own_names() -> set[str]:
    """Names that rsmm defines: functions, classes, attributes that it assigns, variables."""
    names: set[str] = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case ast.Attribute(value=ast.Name(id='self' | 'cls'), ctx=ast.Store(), attr=name):
                    names.add(name)
                case ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
    return names


def private_uses() -> set[tuple[str, str]]:
    """``(name, file)`` of private names of others in the source of rsmm."""
    own = own_names()
    found = set()
    for file, tree in trees():
        for node in ast.walk(tree):
            names = []
            match node:
                case ast.Attribute(attr=name):
                    names = [name]
                case ast.ImportFrom(module=str(module)) if not module.startswith('rsmm'):
                    names = [alias.name for alias in node.names]
                case ast.Call(func=ast.Name(id='getattr' | 'hasattr' | 'setattr')):
                    names = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
            found |= {(n, file) for n in names if re.match(r'_[a-zA-Z]', n) and n not in own}
    return {(name, file) for name, file in found if name not in PUBLIC | OF_SUBCLASSES}


def test_every_private_name_is_listed_and_used_in_its_place() -> None:
    # Names that a class of rsmm assigns as its base does stand there, too.
    inherited = {'_epoch', '_iter', '_decide_current_val_interval'}
    rows = [(name, where) for name, _, _, where, _ in USED if name.startswith('_')]
    listed = {row for row in rows if row[0] not in inherited}
    assert private_uses() == listed


def overriding() -> set[tuple[str, str]]:
    """``(method, class)``: private methods of rsmm's classes that a base outside of rsmm has."""
    found = set()
    for file, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            names = [m.name for m in node.body if isinstance(m, ast.FunctionDef)]
            names = [name for name in names if re.match(r'_[a-z]', name)]
            module = file.removesuffix('.py').replace('/', '.').removesuffix('.__init__')
            cls = getattr(importlib.import_module(module), node.name, None) if names else None
            for base in inspect.getmro(cls)[1:] if cls else ():
                if not base.__module__.startswith('rsmm'):
                    found |= {(n, f'{module}.{node.name}') for n in names if n in vars(base)}
    return found


def test_every_overridden_method_is_listed() -> None:
    assert overriding() == {(method, cls) for method, _, cls, _ in OVERRIDDEN}


# ------------------------------------------------------------------- what the frameworks still have


@pytest.mark.parametrize(('name', 'owner', 'how', 'where', 'reason'), USED, ids=lambda v: v[:30])
def test_the_framework_still_has_it(name: str, owner: str, how: str, where: str, reason: str):
    assert (REPO / where).is_file()
    assert name in (REPO / where).read_text(encoding='utf-8')
    found = resolved(owner)
    if how == 'attribute':
        assert re.search(rf'(self|destination|obj)\.{name}\b', source_of(found)), f'{owner} lost it'
    elif owner == 'mmcv':
        assert "'_ext'" in inspect.getsource(importlib.import_module('mmcv.ops.nms'))
    elif how == 'replaced':
        uses = inspect.getsource(found).count(f'{name}(')
        assert uses > 1, f'nothing in {owner} calls {name} but its definition'
    else:
        part = getattr(found, name)
        arguments = re.search(r'\((.*)\)', how)
        if arguments and arguments[1]:
            known = inspect.signature(part).parameters
            assert set(arguments[1].split(', ')) <= set(known)


@pytest.mark.parametrize(('method', 'owner', 'cls', 'caller'), OVERRIDDEN, ids=lambda v: v[-40:])
def test_the_framework_still_calls_what_is_overridden(
    method: str, owner: str, cls: str, caller: str
) -> None:
    base, own = resolved(owner), resolved(cls)
    assert issubclass(own, base)
    theirs, ours = getattr(base, method), vars(own)[method]
    assert ours is not theirs
    taken = inspect.signature(ours).parameters.values()
    if not any(p.kind is p.VAR_POSITIONAL for p in taken):
        assert [p.name for p in taken] == list(inspect.signature(theirs).parameters)
    calls = resolved(caller) if '.' in caller else getattr(base, caller)
    assert re.search(rf'\.{method}\(', inspect.getsource(calls)), f'{caller} calls it no more'


def test_saving_goes_through_the_overridden_methods_after_an_epoch() -> None:
    """The chain from mmengine's public hook to the safe order of rsmm."""
    from mmengine.hooks import CheckpointHook

    for first, second in (
        ('after_train_epoch', '_save_checkpoint'),
        ('after_train_iter', '_save_checkpoint'),
        ('_save_checkpoint', '_save_checkpoint_with_step'),
        ('after_val_epoch', '_save_best_checkpoint'),
    ):
        assert f'self.{second}(' in inspect.getsource(getattr(CheckpointHook, first))


def test_import_changes_nothing_outside() -> None:
    code = (
        'import json, sys, warnings\n'
        'before = (set(sys.modules), list(warnings.filters))\n'
        'import rsmm\n'
        'new = sorted(n for n in set(sys.modules) - before[0] if n.split(".")[0] != "rsmm")\n'
        'print(json.dumps([new, before[1] == list(warnings.filters)]))\n'
    )
    run = [sys.executable, '-c', code]
    printed = subprocess.run(run, cwd=REPO, capture_output=True, text=True, check=True).stdout
    modules, same_filters = json.loads(printed)
    assert not {name.split('.')[0] for name in modules} & {'torch', 'mmengine', 'mmcv', 'numpy'}
    assert same_filters


def test_a_lost_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmengine.hooks import CheckpointHook

    monkeypatch.delattr(CheckpointHook, '_save_best_checkpoint')
    row = next(row for row in OVERRIDDEN if row[0] == '_save_best_checkpoint')
    with pytest.raises(AttributeError):
        test_the_framework_still_calls_what_is_overridden(*row)
