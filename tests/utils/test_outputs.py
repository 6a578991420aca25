"""Outputs never replace inputs and are complete under their name."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from rsmm.apis.cli import test_main as command_of_test
from rsmm.apis.converting import convert_file
from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import write_raster, write_vector
from rsmm.inference.detect_files import detect_files
from rsmm.inference.scene import predict_scene
from rsmm.utils import atomic_write
from rsmm.utils.outputs import (
    keep_arguments,
    keep_inputs,
    names_as_lines,
    save_figure,
    save_picture,
)

ROOT = Path(__file__).parents[2]
NAMES = ('a b', "it's", 'say "x"', 'x\ny', '100%', 'a;b#c?d', '雪', 'x' * 200)


@pytest.mark.parametrize('way', ['same', 'relative', 'link', 'hard link', 'dots'])
def test_an_input_in_any_guise(tmp_path: Path, monkeypatch, way: str) -> None:
    path = tmp_path / 'a.tif'
    path.write_bytes(b'x')
    (tmp_path / 'sub').mkdir()
    monkeypatch.chdir(tmp_path)
    out = {'same': path, 'relative': 'a.tif', 'dots': 'sub/../a.tif'}.get(way, tmp_path / 'b.tif')
    if way == 'link':
        out.symlink_to(path)
    elif way == 'hard link':
        out.hardlink_to(path)
    with pytest.raises(ConfigError, match='would replace an input'):
        keep_inputs(out, ['other.tif', path])
    keep_inputs(tmp_path / 'c.tif', [path])


#: Tool, and its arguments with IN for an existing file and OUT for the output.
TOOLS = {
    'predict_scene': ['c.py', 'random', 'IN', '--out', 'OUT'],
    'analysis_tools/class_report': ['IN', '--out', 'OUT'],
    'analysis_tools/confusion_matrix': ['IN', '--out', 'OUT'],
    'analysis_tools/embedding': ['IN', 'random', '--out', 'OUT'],
    'analysis_tools/log_curves': ['IN', '--out', 'OUT'],
    'analysis_tools/scot': ['IN', 'b.csv', '--out', 'OUT'],
    'dataset_converters/pack_dataset': ['IN', '--out', 'OUT'],
    'model_converters/convert': ['IN', 'OUT'],
    'model_converters/detreg_to_detector': ['IN', 'OUT'],
    'visualizations/browse_dataset': ['IN', '--out', 'OUT'],
    'visualizations/reconstruction': ['c.py', 'IN', '--out', 'OUT'],
    'test': ['c.py', 'IN', '--out', 'OUT'],
}


@pytest.mark.parametrize('tool', TOOLS)
def test_no_tool_replaces_its_input(tmp_path: Path, monkeypatch, capsys, tool: str) -> None:
    path = tmp_path / 'input.json'
    path.write_text('[]')
    line = [str(path) if part in ('IN', 'OUT') else part for part in TOOLS[tool]]
    monkeypatch.setattr(sys, 'argv', [tool, *line])
    spec = importlib.util.spec_from_file_location('tool', ROOT / 'tools' / f'{tool}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        if tool == 'test':
            status = command_of_test(line)
        elif tool == 'model_converters/convert':
            status = module.convert_main(line)
        else:
            run = getattr(module, 'guarded', lambda command: command())
            status = run(module.main)
    except SystemExit as error:
        status = error.code
    assert status == 1
    assert 'would replace an input' in capsys.readouterr().err
    assert path.read_text() == '[]'


def test_no_function_replaces_its_input(tmp_path: Path) -> None:
    image = tmp_path / 'pictures' / 'a.png'
    image.parent.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(image)
    for call in (
        lambda: predict_scene(None, [image], image),
        lambda: convert_file(image, image),
        lambda: detect_files(None, [image], tmp_path, ('a',)),
    ):
        with pytest.raises(ConfigError, match='would replace an input'):
            call()


def test_checkpoints_named_in_columns_count(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    path.write_bytes(b'')
    with pytest.raises(ConfigError, match='would replace'):
        keep_arguments(Namespace(checkpoints=[f'fc=c.py:{path}'], out=str(path)))


def figure():
    made, axes = plt.subplots()
    axes.plot([1, 2])
    plt.close(made)
    return made


#: What writes a file, by suffix.
WRITERS = {
    '.png': lambda path: save_figure(figure(), path),
    '.svg': lambda path: save_figure(figure(), path),
    '.gif': lambda path: save_picture(Image.new('L', (4, 4)), path),
    '.tif': lambda path: write_raster(path, np.zeros((4, 4), np.uint8)),
    '.gpkg': lambda path: write_vector(path, []),
    '.geojson': lambda path: write_vector(path, []),
    '.txt': lambda path: _text(path),
}


def _text(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path, 'w') as file:
        file.write('x')


@pytest.mark.parametrize('suffix', WRITERS)
@pytest.mark.parametrize('name', NAMES)
def test_odd_names_leave_one_file(tmp_path: Path, suffix: str, name: str) -> None:
    path = tmp_path / 'out' / f'{name}{suffix}'
    WRITERS[suffix](path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size > 0


def test_an_interrupted_figure_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(b'old')

    class Broken:
        canvas = figure().canvas

        def savefig(self, file, **_) -> None:
            file.write(b'half')
            raise OSError(28, 'No space left on device')

    with pytest.raises(OSError, match='No space'):
        save_figure(Broken(), path)
    assert path.read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ConfigError, match=r"cannot draw '\.xyz'"):
        save_figure(figure(), tmp_path / 'a.xyz')


@pytest.mark.parametrize('name', ['a\nb', 'a\rb', 'a\x85b', 'a\u2028b', ''])
def test_names_in_lists(name: str) -> None:
    assert names_as_lines(['a', 'b c'], 'x') == 'a\nb c\n'
    with pytest.raises(DataError, match='holds a line break'):
        names_as_lines(['a', name], 'x')
