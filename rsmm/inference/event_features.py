"""Features of change events, by any backbone."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device

from rsmm.apis.config import default_scope, load_config
from rsmm.apis.model import build_model
from rsmm.datasets.change_events import ChangeEventPairs
from rsmm.inference.features import Features
from rsmm.models.layers.pair_vectors import pair_vectors, sample_weights
from rsmm.utils import track


def event_features(
    config: str | PathLike,
    checkpoint: str | PathLike,
    events: str | PathLike,
    options: Mapping[str, object] | None = None,
    size: int = 112,
    use_mask: bool = True,
    batch_size: int = 64,
    seed: int = 0,
) -> tuple[list[str], Features]:
    """Run a backbone over all pairs of all events of a folder.

    Args:
        config: Config of a model with a backbone.
        checkpoint: File or address of any method whose backbone fits, or ``'random'``.
        events: Folder of events in either layout, see :class:`ChangeEventPairs`.
        options: Dotted config keys to override.
        size: Side to which images are brought, in pixels.
        use_mask: Average where something changed, else over all pixels.
        batch_size: Pairs that go through the network together.
        seed: Of random weights.

    Returns:
        Names ``event/00_img`` of the pairs, and their vectors ``(N, 2 D)``; labels are the events.

    Raises:
        DataError: The folder holds no events, or something that is none.
        CheckpointError: The checkpoint does not fit the backbone.
    """
    config = load_config(config, options)
    torch.manual_seed(seed)
    model = build_model(config, checkpoint, part='backbone', device=get_device())
    steps = [
        dict(type='LoadEventPair', bands=getattr(model.data_preprocessor, 'bands', None)),
        dict(type='ResizeEventPair', size=size),
        dict(type='PackRaster', meta_keys=('event_weights',)),
    ]
    with default_scope(config):
        pairs = ChangeEventPairs(str(events), use_mask=use_mask, pipeline=steps)
    infos = [pairs.get_data_info(index) for index in range(len(pairs))]
    vectors = []
    starts = range(0, len(pairs), batch_size)
    for start in track(starts, f'Features of {len(pairs)} pairs'):
        batch = [pairs[k] for k in range(start, min(start + batch_size, len(pairs)))]
        vectors.append(_forward(model, batch))
    names = [f'{info["event"]}/{Path(info["img_path"]).stem}' for info in infos]
    classes, labels = np.unique([info['event'] for info in infos], return_inverse=True)
    return names, Features(np.concatenate(vectors), labels, tuple(classes.tolist()))


@torch.inference_mode()
def _forward(model: Any, batch: list[dict]) -> np.ndarray:
    dates = [torch.stack(images) for images in zip(*(b['inputs'] for b in batch), strict=True)]
    inputs = model.data_preprocessor({'inputs': dates}, training=False)['inputs']
    weights = sample_weights([b['data_samples'] for b in batch], inputs[0].device)
    return pair_vectors(model.backbone, inputs, weights).cpu().numpy()
