"""The benchmark table: cells, resuming, failures, confidence intervals, output."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pytest

from rsmm.errors import ConfigError, DataError
from rsmm.studies import benchmark
from rsmm.studies.benchmark import (
    list_cells,
    parse_checkpoints,
    run_benchmark,
    split_options,
    summarise,
)
from rsmm.utils.lock import hold_folder


@pytest.fixture
def cells(monkeypatch) -> list:
    """Replace training by a record of what would be trained."""
    ran = []

    def run_cell(cell, folder, options):
        ran.append((cell.task, cell.name, cell.seed))
        if cell.task == 'gid':
            raise DataError('there is no such folder', where='data/gid5')
        return dict.fromkeys(benchmark.TASKS[cell.task].metrics.values(), 50.0 + cell.seed)

    monkeypatch.setattr(benchmark, 'run_cell', run_cell)
    return ran


def test_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / 'moco.pth'
    path.touch()
    found = parse_checkpoints([str(path), 'random', f'imagenet={path}'])
    assert found == {'moco': str(path), 'random': None, 'imagenet': str(path)}
    with pytest.raises(ConfigError, match='no such file'):
        parse_checkpoints(['a.pth'])
    with pytest.raises(ConfigError, match="two checkpoints are called 'moco'"):
        parse_checkpoints([str(path), str(path)])
    with pytest.raises(ConfigError, match="Did you mean 'oscd'"):
        list_cells({'random': None}, ['osdc'], [0])


def test_paths_with_an_equals_sign(tmp_path: Path) -> None:
    path = tmp_path / 'lr=1' / 'moco.pth'
    path.parent.mkdir()
    path.touch()
    assert parse_checkpoints([str(path), f'a={path}']) == {'moco': str(path), 'a': str(path)}


def test_nothing_is_run_twice_or_ignored(tmp_path: Path, cells: list) -> None:
    run_benchmark({'random': None}, tmp_path, tasks=['oscd', 'oscd'], seeds=(0, 0))
    assert cells == [('oscd', 'random', 0)]
    with pytest.raises(ConfigError, match="no task 'osdc'. Did you mean 'oscd'"):
        run_benchmark({'random': None}, tmp_path, tasks=['oscd'], data={'osdc': 'data/oscd'})


def die(job) -> None:
    """Stands for a run that is killed, e.g. for want of memory; others end well."""
    cell, out, _ = job
    folder = cell.folder(Path(out))
    folder.mkdir(parents=True, exist_ok=True)
    if cell.seed == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    metrics = dict.fromkeys(benchmark.TASKS[cell.task].metrics.values(), 50.0)
    benchmark.cell_marker(*job).write([], {'metrics': metrics})


def test_a_killed_process_loses_no_other(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, '_run_quietly', die)
    found = run_benchmark({'random': None}, tmp_path, tasks=['oscd'], seeds=(0, 1), processes=2)
    assert found['missing'] == {
        'oscd / random / seed 0': 'its process ended with -9, e.g. for want of memory'
    }
    assert {row['runs'] for row in found['scores']} == {1}


def test_options_of_one_task() -> None:
    given = {'oscd:epochs': 9, 'epochs': 2, 'oscd:val_cities': ('nantes',), 'model.a:b': 1}
    with pytest.raises(ConfigError, match="no task 'model.a'"):
        split_options(given, ['oscd', 'gid'])
    del given['model.a:b']
    found = split_options(given, ['oscd', 'gid'])
    assert found == {'oscd': {'epochs': 9, 'val_cities': ('nantes',)}, 'gid': {'epochs': 2}}
    with pytest.raises(ConfigError, match="Did you mean 'oscd'"):
        split_options({'osdc:epochs': 1}, ['oscd'])


def test_a_failed_cell_loses_no_other_and_is_tried_again(tmp_path: Path, cells: list) -> None:
    settings = dict(tasks=['gid', 'oscd', 'eurosat'], seeds=(0, 1))
    found = run_benchmark({'random': None}, tmp_path, **settings)
    assert len(cells) == 6
    assert list(found['missing'].values()) == ['data/gid5: there is no such folder'] * 2
    rows = {(row['task'], row['metric']): row for row in found['scores']}
    assert rows['oscd', 'F1']['mean'] == 50.5
    assert len(rows) == 4
    cells.clear()
    again = run_benchmark({'random': None}, tmp_path, **settings)
    assert [task for task, _, _ in cells] == ['gid', 'gid']
    assert again['scores'] == found['scores']


def test_output_files(tmp_path: Path, cells: list) -> None:
    run_benchmark({'random': None}, tmp_path, tasks=['oscd', 'gid'], seeds=(0, 1, 2))
    with (tmp_path / 'table.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['metric'] for row in rows] == ['precision', 'recall', 'F1']
    text = (tmp_path / 'table.md').read_text()
    assert '| random | 51.00 ± 2.48 |' in text
    assert 'gid / random / seed 2: data/gid5: there is no such folder' in text
    assert (tmp_path / 'table.png').stat().st_size > 1000


def test_a_cell_held_by_another_process_is_left_to_it(tmp_path: Path, cells: list) -> None:
    folder = tmp_path / 'cells/oscd/random/seed0'
    folder.mkdir(parents=True)
    with hold_folder(folder):
        found = run_benchmark({'random': None}, tmp_path, tasks=['oscd'], seeds=(0, 1))
    assert cells == [('oscd', 'random', 1)]
    assert list(found['missing']) == ['oscd / random / seed 0']


def test_other_settings_do_not_mix(tmp_path: Path, cells: list) -> None:
    run_benchmark({'random': None}, tmp_path, tasks=['oscd'], seeds=(0,))
    with pytest.raises(ConfigError, match="'epochs': 5"):
        run_benchmark({'random': None}, tmp_path, tasks=['oscd'], seeds=(0,), budget='paper')


@pytest.mark.parametrize('name', ['../../x', 'a/b', '..', '.hidden', 'a\nb', ' ', 'c:\\x'])
def test_cells_stay_below_the_output_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / 'moco.pth'
    path.touch()
    with pytest.raises(ConfigError, match=r'cannot be the name of a folder'):
        parse_checkpoints([f'{name}={path}'])


def test_an_encoder_in_the_place_of_another(tmp_path: Path, cells: list, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, 'backbone_prefix', lambda path: None)
    path = tmp_path / 'moco.pth'
    path.write_bytes(b'one')
    settings = dict(tasks=['oscd'], seeds=(0,))
    run_benchmark({'moco': str(path)}, tmp_path / 'out', **settings)
    path.write_bytes(b'two')
    with pytest.raises(ConfigError, match='another file in the place of'):
        run_benchmark({'moco': str(path)}, tmp_path / 'out', **settings)


def test_a_damaged_note_of_a_cell_is_no_result(tmp_path: Path, cells: list) -> None:
    settings = dict(tasks=['oscd'], seeds=(0,))
    found = run_benchmark({'random': None}, tmp_path, **settings)
    done = tmp_path / 'cells/oscd/random/seed0/done.json'
    done.write_text(done.read_text().replace('50.0', '95.0'))
    assert run_benchmark({'random': None}, tmp_path, **settings) == found
    assert len(cells) == 2


def test_confidence_interval() -> None:
    # Student's t for three values: 4.3027 x 1 / sqrt(3).
    assert summarise('a', 'b', 'c', [1.0, 2.0, 3.0])['ci95'] == pytest.approx(2.48414, abs=1e-4)
    assert summarise('a', 'b', 'c', [1.0])['ci95'] is None


@pytest.mark.slow
def test_a_real_cell_runs_and_goes_on(tmp_path: Path) -> None:
    from rsmm.toy import get_writer

    data = tmp_path / 'gid'
    get_writer('gid')(data, scenes=5, size=64)
    small = {'epochs': 1, 'tile': 32, 'batch_size': 2, 'num_workers': 0}
    settings = dict(tasks=['gid'], seeds=(0,), data={'gid': str(data)}, options={'gid': small})
    found = run_benchmark({'random': None}, tmp_path / 'out', **settings)
    assert not found['missing']
    assert {row['metric'] for row in found['scores']} == {'OA', 'mIoU'}
    done = tmp_path / 'out/cells/gid/random/seed0/done.json'
    before = json.loads(done.read_text())
    done.unlink()
    run_benchmark({'random': None}, tmp_path / 'out', **settings)
    assert json.loads(done.read_text()) == before
