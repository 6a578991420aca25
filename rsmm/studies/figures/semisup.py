"""Figures of semi-supervised runs: views, pseudo-labels over training, reliability, shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config, model_settings
from rsmm.engine.runner import Runner
from rsmm.errors import DataError
from rsmm.evaluation.functional.calibration import confidence_and_hits, reliability
from rsmm.registry import MODELS
from rsmm.utils import atomic_write
from rsmm.visualization.contrastive import plot_views
from rsmm.visualization.curves import read_log
from rsmm.visualization.style import INK, MUTED, category, new_figure, tidy

#: What training logs of the pseudo-labels.
MEASURES = ('used', 'pseudo_accuracy')


def draw_semisup_views(
    config: str, out: str, rows: int = 6, options: Mapping[str, object] | None = None
) -> None:
    """Draw the views of unlabelled samples as the model sees them: weak ones, then strong ones.

    Args:
        config: Config of a semi-supervised run.
        out: PNG to write.
        rows: Samples to draw.
        options: Dotted config keys to override.
    """
    cfg = load_config(config, options)
    init_default_scope('rsmm')
    cfg.train_dataloader.num_workers = 0
    loader: Any = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    preprocessor = MODELS.build(model_settings(cfg)['data_preprocessor'])
    inputs = preprocessor(next(iter(loader)), True)['inputs']
    names = [name for name in inputs if not name.startswith('labelled')]
    if not names:
        raise DataError('the config has no unlabelled stream', where=config)
    colours = _colour_bands(loader.dataset.metainfo.get('bands'), next(iter(inputs.values())))
    images = [[inputs[name][row][colours] for name in names] for row in range(rows)]
    plot_views(images, names, out)


def _colour_bands(bands: Sequence[str] | None, batch: torch.Tensor) -> list[int]:
    """Positions of red, green and blue; the first three bands where they are not known."""
    wanted = [('B04', 'R'), ('B03', 'G'), ('B02', 'B')]
    found = [next((bands.index(n) for n in names if n in bands), None) for names in wanted] if (
        bands
    ) else [None]  # fmt: skip
    places = [place for place in found if place is not None]
    return places if len(places) == len(found) else list(range(min(3, batch.shape[1])))


def draw_pseudo_labels(work_dirs: Sequence[str], out: str) -> None:
    """Draw the share of pseudo-labels that training uses, and how many of them are right.

    Args:
        work_dirs: Work folders of runs on data whose hidden labels are known.
        out: PNG to write.

    Raises:
        DataError: None of the runs logged pseudo-labels.
    """
    logs = {Path(folder).name: read_log(folder) for folder in work_dirs}
    figure = new_figure(9.0, 3.2)
    axes = figure.subplots(1, 2)
    drawn = 0
    for axis, (name, title) in zip(
        axes, zip(MEASURES, ('pseudo-labels used', 'of these, right'), strict=True), strict=True
    ):
        for number, (run, log) in enumerate(logs.items()):
            if name in log.curves:
                positions, values = log.curves[name]
                axis.plot(positions, 100 * values, color=category(number)[0], label=run, lw=1.4)
                drawn += 1
        axis.set_title(f'{title} (%)', fontsize=9, color=INK)
        axis.set_xlabel('step', fontsize=8, color=MUTED)
        axis.set_ylim(0, 100)
        tidy(axis)
    if not drawn:
        raise DataError(
            'no run logged pseudo-labels', where=', '.join(work_dirs), fix='Use a rule that has any'
        )
    axes[0].legend(fontsize=7, frameon=False)
    _save(figure, out)


def draw_reliability(runs: Mapping[str, tuple[np.ndarray, np.ndarray]], out: str) -> None:
    """Draw accuracy against confidence, one line a model.

    Args:
        runs: Scores ``(N, C)`` and labels ``(N,)`` by name.
        out: PNG to write.
    """
    figure = new_figure(4.6, 4.2)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls='--')
    for number, (name, (scores, labels)) in enumerate(runs.items()):
        found = reliability(*confidence_and_hits(labels, scores))
        held = found.count > 0
        colour, marker = category(number)
        axis.plot(
            found.confidence[held],
            found.accuracy[held],
            color=colour,
            marker=marker,
            ms=4,
            lw=1.4,
            label=f'{name}: error {100 * found.error:.1f} %',
        )
    axis.set_xlabel('confidence', fontsize=8, color=MUTED)
    axis.set_ylabel('accuracy', fontsize=8, color=MUTED)
    axis.legend(fontsize=7, frameon=False)
    tidy(axis)
    _save(figure, out)


def draw_shift(table: Mapping[str, Mapping[str, Sequence[float]]], out: str) -> None:
    """Draw accuracy in and out of the training distribution, one group of bars a test set.

    Args:
        table: Accuracies in percent of the seeds, by model, then by test set.
        out: PNG to write.
    """
    sets = list(next(iter(table.values())))
    figure = new_figure(1.6 + 1.5 * len(sets), 3.2)
    axis = figure.subplots()
    width = 0.8 / len(table)
    for number, (name, scores) in enumerate(table.items()):
        places = np.arange(len(sets)) + (number - (len(table) - 1) / 2) * width
        means = [float(np.mean(scores[test])) for test in sets]
        axis.bar(places, means, 0.92 * width, color=category(number)[0], label=name)
        for place, test in zip(places, sets, strict=True):
            axis.plot([place] * len(scores[test]), scores[test], 'o', ms=2.5, color=INK)
    axis.set_xticks(np.arange(len(sets)), sets)
    axis.set_ylabel('accuracy (%)', fontsize=8, color=MUTED)
    axis.legend(fontsize=7, frameon=False)
    tidy(axis)
    _save(figure, out)


def _save(figure, out: str | Path) -> None:
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file:
        figure.savefig(file, format='png')
