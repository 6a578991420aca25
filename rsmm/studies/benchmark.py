"""The row of the papers' tables for any encoder: EuroSAT, PASTIS, GID and OSCD in one call.

Every cell (encoder, task, seed) is an ordinary run of an ordinary config in a folder of its own,
independent of the others. A finished cell leaves ``done.json`` (:mod:`rsmm.utils.done_marker`) and
is not run again; a failed one leaves ``error.txt`` and is tried again by the next call. Calls that
share an output folder share the work: each takes the cells that no other holds.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rsmm.apis.model import RANDOM
from rsmm.errors import ConfigError, RsmmError, did_you_mean
from rsmm.studies.steps import prepare_folder, resume_from
from rsmm.utils import atomic_write
from rsmm.utils.done_marker import DoneMarker, content_stamp, read_marker
from rsmm.utils.leftovers import remove_leftovers
from rsmm.utils.lock import hold_folder
from rsmm.utils.outputs import plain_name

DONE, ERROR = 'done.json', 'error.txt'


@dataclass(frozen=True)
class Task:
    """A downstream task.

    Attributes:
        config: Config of the probe, relative to the configs folder.
        metrics: Name in the table to name of the metric.
        short: Options of the short budget; the paper's budget is the config's own.
    """

    config: str
    metrics: Mapping[str, str]
    short: Mapping[str, object] = field(default_factory=lambda: {'epochs': 5})


TASKS = {
    'eurosat': Task('eurosat/resnet18_linear-20e_eurosat-rgb.py', {'accuracy': 'accuracy/top1'}),
    'pastis': Task('pastis/unet_resnet18_100e_pastis-rgb.py', {'OA': 'seg/oa', 'mIoU': 'seg/miou'}),
    'gid': Task('gid/unet_resnet18_100e_gid5.py', {'OA': 'seg/oa', 'mIoU': 'seg/miou'}),
    'oscd': Task(
        'oscd/seco_resnet18_100e_oscd-rgb.py',
        {'precision': 'change/precision', 'recall': 'change/recall', 'F1': 'change/f1'},
        # The plain entropy has not yet found any change after five epochs.
        {'epochs': 5, 'model.loss.pos_weight': 10.0},
    ),
}
BUDGETS = ('short', 'paper')


@dataclass(frozen=True)
class Cell:
    """One run: encoder (name and file, None for random weights), task and seed."""

    name: str
    checkpoint: str | None
    task: str
    seed: int

    def folder(self, out: Path) -> Path:
        """Folder of the run."""
        return out / 'cells' / self.task / self.name / f'seed{self.seed}'


def parse_checkpoints(arguments: Sequence[str]) -> dict[str, str | None]:
    """Turn ``a.pth``, ``name=a.pth`` and ``random`` into names and files.

    Raises:
        ConfigError: A file that is not there, or two of one name.
    """
    found: dict[str, str | None] = {}
    for argument in arguments:
        name, sign, path = argument.partition('=')
        if not sign or Path(argument).is_file():  # a path may hold the sign too
            name, path = '', argument
        if argument != RANDOM and '://' not in path and not Path(path).is_file():
            raise ConfigError('there is no such file', where=f'--checkpoints {argument}')
        name = name or (RANDOM if argument == RANDOM else Path(path).stem)
        plain_name(name, f'--checkpoints {argument}', 'Name it: --checkpoints NAME=FILE')
        if name in found:
            raise ConfigError(
                f'two checkpoints are called {name!r}', fix='Name them: --checkpoints a=... b=...'
            )
        found[name] = None if argument == RANDOM else path
    return found


def split_options(
    arguments: Mapping[str, object], tasks: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Deal config options to tasks: ``key`` is for all, ``TASK:key`` for one and comes last.

    Raises:
        ConfigError: A prefix that is none of the tasks.
    """
    found: dict[str, dict[str, object]] = {task: {} for task in tasks}
    for own in (False, True):
        for argument, value in arguments.items():
            task, colon, key = argument.rpartition(':')
            if bool(colon) != own:
                continue
            if own and task not in found:
                raise ConfigError(
                    f'no task {task!r}.{did_you_mean(task, tasks)}',
                    where=f'--cfg-options {argument}',
                    fix=f'Asked for: {", ".join(tasks)}',
                )
            for name in [task] if own else tasks:
                found[name][key] = value
    return found


def check_tasks(tasks: Iterable[str]) -> None:
    """Raise :class:`ConfigError` for a task that does not exist."""
    for task in tasks:
        if task not in TASKS:
            raise ConfigError(
                f'no task {task!r}.{did_you_mean(task, TASKS)}', fix=f'Known: {", ".join(TASKS)}'
            )


def list_cells(
    checkpoints: Mapping[str, str | None], tasks: Sequence[str], seeds: Sequence[int]
) -> list[Cell]:
    """Return all cells, seed by seed, so that a first full table comes early.

    Raises:
        ConfigError: An unknown task.
    """
    check_tasks(tasks)
    return [
        Cell(name, checkpoint, task, seed)
        for seed in dict.fromkeys(seeds)
        for task in dict.fromkeys(tasks)
        for name, checkpoint in checkpoints.items()
    ]


def run_benchmark(
    checkpoints: Mapping[str, str | None],
    out: str | Path,
    tasks: Sequence[str] = tuple(TASKS),
    budget: str = 'short',
    seeds: Sequence[int] = (0, 1, 2),
    data: Mapping[str, str] | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    processes: int = 1,
) -> dict:
    """Run what is missing of a table and write it.

    Args:
        checkpoints: Name to file, None for random weights.
        out: Output folder; ``table.csv``, ``table.md``, ``table.png`` and ``cells/``.
        tasks: Names among :data:`TASKS`.
        budget: ``'short'`` (a few epochs, to compare encoders on a laptop) or ``'paper'``.
        seeds: One run each; several give confidence intervals.
        data: Data root per task, where it is not the config's.
        options: Further config options per task.
        processes: Cells at a time. Further processes or machines may run the same call.

    Returns:
        ``scores`` (rows of the table) and ``missing`` (cell to reason).

    Raises:
        ConfigError: An unknown task or budget, or a folder made with other settings.
    """
    if budget not in BUDGETS:
        raise ConfigError(f'budget={budget!r}', fix=f'Known: {", ".join(BUDGETS)}')
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    cells = list_cells(checkpoints, tasks, seeds)
    check_tasks(data or {})
    jobs = [
        (cell, str(out), cell_options(cell, budget, data or {}, options or {})) for cell in cells
    ]
    waiting = [job for job in jobs if not is_done(*job)]
    if processes > 1 and len(waiting) > 1:
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(_run_apart, waiting))
    else:
        for job in waiting:
            _run_quietly(job)
    return write_table(out, cells, jobs)


def cell_options(
    cell: Cell,
    budget: str,
    data: Mapping[str, str],
    options: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    """Return the config options of a cell."""
    found: dict[str, object] = dict(TASKS[cell.task].short) if budget == 'short' else {}
    if cell.checkpoint is not None:
        found |= {'pretrained': cell.checkpoint, 'prefix': backbone_prefix(cell.checkpoint)}
    if cell.task in data:
        found['data_root'] = data[cell.task]
    return found | dict(options.get(cell.task, {})) | {'randomness.seed': cell.seed}


@functools.lru_cache
def backbone_prefix(checkpoint: str) -> str | None:
    """Return the prefix under which a file holds its encoder, None when it holds nothing else."""
    if '://' in checkpoint:
        return None
    from rsmm.checkpoints.files import load_checkpoint_file
    from rsmm.checkpoints.weights import state_dict_of

    state = state_dict_of(load_checkpoint_file(checkpoint), checkpoint)
    return 'backbone.' if any(key.startswith('backbone.') for key in state) else None


def cell_marker(cell: Cell, out: str, options: Mapping[str, object]) -> DoneMarker:
    """Return the marker of a cell: its options and the content of its encoder's file."""
    made: dict[str, object] = {'options': dict(options), 'encoder': None}
    if cell.checkpoint is not None and Path(cell.checkpoint).is_file():
        made['encoder'] = content_stamp(cell.checkpoint)[1:]  # under whatever name
    return DoneMarker(cell.folder(Path(out)) / DONE, made)


def is_done(cell: Cell, out: str, options: Mapping[str, object]) -> bool:
    """Whether a cell has been run with these options and this encoder.

    Raises:
        ConfigError: It has been run with others; mixing the two would spoil the table.
    """
    marker = cell_marker(cell, out, options)
    if marker.facts() is not None:
        return True
    found = read_marker(marker.path)
    if found is None:
        return False
    made = found['made']
    what = f'{made["options"]}, now asked for {dict(options)}'
    if made['options'] == json.loads(json.dumps(dict(options))):
        what = f'another file in the place of {cell.checkpoint}'
    raise ConfigError(
        f'was run with {what}',
        where=marker.path,
        fix='Use another --out, or delete this folder',
    )


def _run_apart(job: tuple[Cell, str, dict]) -> None:
    """Run a cell in a process of its own, so that a killed one takes no other with it."""
    process = multiprocessing.get_context('spawn').Process(target=_run_quietly, args=(job,))
    process.start()
    process.join()
    if process.exitcode:
        folder = job[0].folder(Path(job[1]))
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / ERROR, 'w', encoding='utf-8') as file:
            file.write(f'its process ended with {process.exitcode}, e.g. for want of memory\n')


def _run_quietly(job: tuple[Cell, str, dict]) -> None:
    """Run a cell; what goes wrong is written down and does not stop the others."""
    cell, out, options = job
    folder = cell.folder(Path(out))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with hold_folder(folder):
            if is_done(*job):
                return
            remove_leftovers(folder, deep=True, held=True)
            (folder / ERROR).unlink(missing_ok=True)
            try:
                with cell_marker(*job).renewed() as renewal:
                    prepare_folder(folder / 'run', cell_marker(*job).made)
                    renewal.facts = {'metrics': run_cell(cell, folder, options)}
            except Exception as error:
                text = str(error) if isinstance(error, RsmmError) else repr(error)
                with atomic_write(folder / ERROR, 'w', encoding='utf-8') as file:
                    file.write(f'{text}\n\n{traceback.format_exc()}')
    except ConfigError:
        return  # another process is at it


def run_cell(cell: Cell, folder: Path, options: Mapping[str, object]) -> dict[str, float]:
    """Train, or go on training, one cell and return its test metrics."""
    from rsmm.apis.entries import zoo_root
    from rsmm.apis.run import train

    run = folder / 'run'
    config = zoo_root() / 'configs' / TASKS[cell.task].config
    # mmengine keeps loggers by name for the life of the process.
    name = f'benchmark-{cell.task}-{cell.name}-{cell.seed}'
    runner = train(
        config,
        work_dir=str(run),
        resume=resume_from(run),
        options={**options, 'experiment_name': name},
    )
    metrics = runner.test()
    wanted = TASKS[cell.task].metrics.values()
    return {key: float(metrics[key]) for key in wanted}


def write_table(out: Path, cells: Sequence[Cell], jobs: Sequence[tuple]) -> dict:
    """Collect the finished cells into table.csv, table.md and table.png."""
    from rsmm.visualization.benchmark import draw_table, table_markdown, write_csv

    values: dict[tuple[str, str, str], list[float]] = {}
    missing: dict[str, str] = {}
    for cell, job in zip(cells, jobs, strict=True):
        folder = cell.folder(out)
        if is_done(*job):
            metrics = cell_marker(*job).facts()['metrics']
            for title, key in TASKS[cell.task].metrics.items():
                values.setdefault((cell.name, cell.task, title), []).append(metrics[key])
            continue
        reason = 'not run yet, or running in another process'
        if (folder / ERROR).is_file():
            reason = (folder / ERROR).read_text(encoding='utf-8').splitlines()[0]
        missing[f'{cell.task} / {cell.name} / seed {cell.seed}'] = reason
    rows = [summarise(*key, found) for key, found in values.items()]
    write_csv(out / 'table.csv', rows)
    with atomic_write(out / 'table.md', 'w', encoding='utf-8') as file:
        file.write(table_markdown(rows, missing))
    if rows:
        draw_table(rows, out / 'table.png')
    return {'scores': rows, 'missing': missing}


def summarise(checkpoint: str, task: str, metric: str, values: Sequence[float]) -> dict:
    """Return mean and half width of the 95 % confidence interval (Student's t) over seeds.

    One value has no interval: None.
    """
    import numpy as np
    from scipy.stats import t

    half = None
    if len(values) > 1:
        error = np.std(values, ddof=1) / len(values) ** 0.5
        half = float(t.ppf(0.975, len(values) - 1) * error)
    return {
        'checkpoint': checkpoint,
        'task': task,
        'metric': metric,
        'mean': float(np.mean(values)),
        'ci95': half,
        'runs': len(values),
    }
