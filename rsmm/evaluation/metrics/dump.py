"""Writing predictions to a file while testing."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from rsmm.errors import ConfigError
from rsmm.registry import METRICS
from rsmm.utils import atomic_write


@METRICS.register_module()
class DumpPredictions(BaseMetric):
    """Write every prediction as a plain dict.

    A classification sample gives ``img_path``, ``gt_label``, ``pred_label`` and ``pred_score``;
    other tasks give all fields of their data samples.

    Args:
        out: Target; ``.json`` holds lists, ``.pkl`` NumPy arrays.
        collect_device: As mmengine's.

    Raises:
        ConfigError: Another file type.
    """

    #: Inputs of the pipeline that are no predictions.
    SKIPPED = frozenset({'num_classes', 'img_shape', 'ori_shape', 'scale_factor'})

    def __init__(self, out: str, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        self.out = Path(out)
        if self.out.suffix not in ('.json', '.pkl'):
            raise ConfigError(
                f'unknown file type {self.out.suffix!r}', where=out, fix='.json or .pkl'
            )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the samples as dicts of arrays and plain values."""
        for sample in data_samples:
            self.results.append(
                {key: to_plain(value) for key, value in sample.items() if key not in self.SKIPPED}
            )

    def compute_metrics(self, results: list[dict]) -> dict:
        """Write the file; adds no metric."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        if self.out.suffix == '.json':
            with atomic_write(self.out, 'w', encoding='utf-8') as file:
                json.dump(results, file, default=_as_list)
        else:
            with atomic_write(self.out) as file:
                pickle.dump(results, file)
        return {}


def to_plain(value):
    """Turn tensors into arrays (one-element ones into numbers), containers recursively."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return value.item() if value.size == 1 else value
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def _as_list(value):
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
