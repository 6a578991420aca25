"""Whole scenes of a change dataset with the output of several checkpoints side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.errors import ConfigError
from rsmm.utils.outputs import save_figure


@dataclass(frozen=True)
class Column:
    """One column of a panel.

    Attributes:
        name: Its title.
        config: Config of the model and of the data that it reads.
        checkpoint: Weights, ``'random'`` for those of initialisation.
    """

    name: str
    config: str
    checkpoint: str


def parse_columns(config: str, arguments: Sequence[str]) -> list[Column]:
    """Turn ``random``, ``a.pth``, ``name=a.pth`` and ``name=other.py:a.pth`` into columns.

    Args:
        config: Config of the columns that name none.
        arguments: As given on the command line.

    Raises:
        ConfigError: Two columns of one name.
    """
    columns = []
    for argument in arguments:
        name, _, value = argument.rpartition('=')
        other, _, checkpoint = value.rpartition('.py:')
        columns.append(
            Column(name or Path(checkpoint).stem, f'{other}.py' if other else config, checkpoint)
        )
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ConfigError(
            f'two of the columns {", ".join(names)} have one name', fix='Name them: a=x.pth b=y.pth'
        )
    return columns


def change_panels(
    columns: Sequence[Column],
    out: str | Path,
    options: Mapping[str, object] | None = None,
    include: Sequence[str] | None = None,
    device: str = 'cpu',
    images: bool = True,
) -> list[Path]:
    """Draw each scene of the first column's test dataset: dates, truth, one map per column.

    Scenes are those of the test datasets as the configs describe them, matched by name; the title
    of a column has its F1 on the scene. Scenes without label show the maps as they are.

    Args:
        columns: What to compare.
        out: Folder for ``<scene>.png``.
        options: Dotted config keys to override, in all configs.
        include: Names of the scenes to draw, None for all.
        device: ``'cpu'`` or ``'cuda'``.
        images: False leaves the dates out, where their licence forbids to pass them on.

    Returns:
        The files written.

    Raises:
        ConfigError: A scene that is not among the test scenes of a column.
    """
    from rsmm.visualization.composite import composite
    from rsmm.visualization.dense import draw_change

    scenes: dict[str, dict] = {}
    for number, column in enumerate(columns):
        for name, sample, pred in _predicted(column, options, include, device):
            truth = sample['data_samples'].get('gt_sem_seg')
            truth = None if truth is None else truth.data[0].numpy()
            if number == 0:
                bands = sample['data_samples'].bands
                dates = [composite(d.permute(1, 2, 0).numpy(), bands) for d in sample['inputs']]
                titles = sample['data_samples'].get('dates') or ('before', 'after')
                scenes[name] = {'dates': dates, 'truth': truth, 'maps': {}, 'titles': titles}
            if name in scenes:
                scenes[name]['maps'][_title(column.name, pred, truth)] = pred
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, scene in scenes.items():
        if len(scene['maps']) != len(columns):
            raise ConfigError(f'{name} is not a test scene of every column', where=str(out))
        shown = (scene['dates'], scene['titles']) if images else ((), ())
        figure = draw_change(shown[0], scene['truth'], scene['maps'], shown[1])
        written.append(out / f'{name}.png')
        save_figure(figure, written[-1])
    return written


def _predicted(column: Column, options, include, device: str):
    """Yield name, sample and map of the scenes that a column's config tests."""
    from rsmm.apis.config import load_config
    from rsmm.apis.model import build_model
    from rsmm.registry import DATASETS

    model: Any = build_model(column.config, column.checkpoint, device=device, options=options)
    settings = load_config(column.config, options).test_dataloader.dataset
    if include is not None:
        settings['include'] = tuple(include)
    dataset = DATASETS.build(settings)
    for k in range(len(dataset)):
        sample = dataset[k]
        batch = {
            'inputs': [date[None] for date in sample['inputs']],
            'data_samples': [sample['data_samples'].clone()],
        }
        pred = model.test_step(batch)[0].pred_sem_seg.data[0].cpu().numpy()
        yield sample['data_samples'].name, sample, pred


def _title(name: str, pred: np.ndarray, truth: np.ndarray | None) -> str:
    from rsmm.datasets.transforms.labels import IGNORE
    from rsmm.evaluation.functional.change import binary_change_scores

    if truth is None:
        return name
    return f'{name}, F1 {100 * binary_change_scores(pred, truth, IGNORE)["f1"]:.1f}'
