"""What a network was trained on, to travel in its checkpoints: bands, range, tags, pixel size."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from rsmm.datasets.base import leaf_datasets
from rsmm.errors import RsmmError
from rsmm.geo.ground import pixel_metres

#: Samples that are looked at, and pixels of each.
SAMPLES, PIXELS = 8, 4096
#: Shares of the values below and above the range that is noted.
TAILS = (0.001, 0.999)


def input_facts(dataset, samples: int = SAMPLES) -> dict:
    """Describe what a data set's loaders read, from a few samples spread over it.

    Random numbers are left as they were. Samples that cannot be read are passed over: training
    will say what is wrong with them.

    Args:
        dataset: Of a training; the first data set inside wrappers counts.
        samples: How many to look at.

    Returns:
        Plain values for a checkpoint: ``bands``, ``dtype``; per band ``low``, ``high`` (0.1 and
        99.9 %), ``mean``, ``std`` in stored units, after scaling of whole images if there is one;
        ``scales``, ``offsets`` (tags, None without); ``gsd`` in metres or None; ``void`` (classes
        that do not count); ``norm`` (mean and deviation of series that the data set brings).
        Empty if nothing could be read.
    """
    leaf = next(iter(leaf_datasets(dataset)), None)
    steps = getattr(getattr(leaf, 'pipeline', None), 'transforms', ())
    loaders = [step for step in steps if type(step).__name__.startswith('Load')]
    if leaf is None or not loaders or not len(leaf):
        return {}
    places = np.unique(np.linspace(0, len(leaf) - 1, samples).round().astype(int))
    with _same_random_numbers():
        found = [_loaded(leaf, loaders, int(place)) for place in places]
    found = [results for results in found if results is not None]
    return _described(found) if found else {}


def _loaded(dataset, loaders, place: int) -> dict | None:
    try:
        results = dict(dataset.get_data_info(place))
        for step in loaders:
            results = step(results)
            if isinstance(results.get('img'), np.ndarray):
                return results
    except RsmmError:
        pass
    return None


def _described(found: list[dict]) -> dict:
    first = found[0]
    bands = [str(band) for band in first.get('bands') or ()]
    count = first['img'].shape[-1]
    pixels = [results['img'].reshape(-1, results['img'].shape[-1]) for results in found]
    parts = [part[:: -(-len(part) // PIXELS)] for part in pixels if part.shape[1] == count]
    values = np.concatenate(parts).astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return {}
    low, high = np.quantile(values, TAILS, axis=0)
    gsd = [size for size in map(_gsd, found) if size]
    return {
        'bands': bands if len(bands) == count else None,
        'dtype': str(first['img'].dtype),
        'low': low.tolist(),
        'high': high.tolist(),
        'mean': values.mean(axis=0).tolist(),
        'std': values.std(axis=0).tolist(),
        **{key: _plain(first.get(key)) for key in ('scales', 'offsets')},
        'gsd': float(np.median(gsd)) if gsd else None,
        'void': [int(label) for label in first.get('label_void') or ()],
        'norm': _plain(first.get('norm')),
    }


def _gsd(results: Mapping) -> float | None:
    place = {key: results.get(key) for key in ('crs', 'transform', 'gcps', 'rpcs')}
    return pixel_metres(results['img'].shape[:2], place)


def _plain(values) -> list | None:
    return None if values is None else np.asarray(values, np.float64).tolist()


@contextlib.contextmanager
def _same_random_numbers() -> Iterator[None]:
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
