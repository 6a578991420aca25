"""Comparing a scene with what the network was trained on: unit, range, tags, pixel size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from rsmm.errors import ConfigError, DataError
from rsmm.geo.ground import pixel_metres
from rsmm.geo.streaming import Stack
from rsmm.geo.tags import tags_of

CHECKS = ('error', 'warn', 'off')
#: Side of the thumbnail whose values are compared.
SIDE = 256
#: Largest values that differ by more than this factor are of another unit.
UNIT = 10.0
#: Share of pixels outside the range of training from which on there is a warning.
OUTSIDE = 0.1
#: Ratios of pixel sizes for a warning and for an error.
CLOSE, FAR = 1.25, 3.0
#: Deviations from the mean that no sensible scene is away.
AWAY = 6.0


def check_input(
    stack: Stack,
    limits: tuple | None,
    facts: Mapping,
    preprocessor: nn.Module,
    mode: str = 'error',
) -> list[str]:
    """Compare the open files of a scene with the training data.

    Args:
        stack: The files.
        limits: Not None where whole images are scaled by limits of their own: their range is then
            of no matter.
        facts: Of :func:`rsmm.engine.input_facts.input_facts`; may be empty.
        preprocessor: Its mean and deviation stand in for missing facts.
        mode: ``'error'`` refuses what is certainly wrong, ``'warn'`` only says so, ``'off'``.

    Returns:
        Warnings with figures.

    Raises:
        DataError: Another unit, or pixels of three times the size or a third.
        ConfigError: Another mode.
    """
    if mode not in CHECKS:
        raise ConfigError(f'check={mode!r} is not one of {", ".join(CHECKS)}')
    if mode == 'off':
        return []
    found = list(_about_size(stack, facts))
    if limits is None:
        found += _about_tags(stack, facts)
        for date in stack.dates:
            values = _sample(date)
            if len(values):
                found += _about_range(values, date.bands, facts, preprocessor)
    wrong = [text for certain, text in found if certain]
    if wrong and mode == 'error':
        raise DataError(
            wrong[0],
            where=stack.dates[0].path,
            fix='Bring it to what the model knows (pixels: --gsd model), or add --check warn',
        )
    return list(dict.fromkeys(text for _, text in found))


def _about_size(stack: Stack, facts: Mapping):
    own, trained = pixel_metres(stack.shape, stack.place), facts.get('gsd')
    if stack.place.get('crs') is None and not stack.place.get('rpcs'):
        yield False, 'has no coordinate system: areas are counted in pixels'
    if not own or not trained:
        return
    ratio = max(own / trained, trained / own)
    if ratio > CLOSE:
        yield ratio > FAR, f'pixels of {own:.3g} m, trained on {trained:.3g} m'


def _about_tags(stack: Stack, facts: Mapping):
    if 'scales' not in facts:
        return
    trained = {k: facts[k] for k in ('scales', 'offsets') if facts[k] is not None}
    own, theirs = tags_of(stack.dates[0].about()), tags_of(trained)
    if own != theirs:
        yield False, f'scale and offset tags {_pairs(own)}, trained on {_pairs(theirs)}'


def _pairs(tags) -> str:
    return ', '.join(f'{scale:g} and {offset:g}' for scale, offset in tags)


def _sample(date) -> np.ndarray:
    """Values (K, C) of a thumbnail that are there."""
    share = min(1.0, SIDE / max(date.shape))
    shape = tuple(max(1, round(share * side)) for side in date.shape)
    values, missing = date.read(out_shape=shape if share < 1 else None)
    flat = values.reshape(-1, values.shape[2]).astype(np.float64)
    kept = np.isfinite(flat).all(axis=1)
    return flat[kept if missing is None else kept & ~missing.reshape(-1)]


def _about_range(values: np.ndarray, bands, facts: Mapping, preprocessor: nn.Module):
    if facts.get('high') and len(facts['high']) == values.shape[1]:
        yield from _against_facts(values, bands, facts)
        return
    mean, std = _expected(preprocessor)
    if mean is not None and len(mean) == values.shape[1]:
        away = np.abs(values.mean(axis=0) - mean) / std
        spread = values.std(axis=0) / std
        if away.min() > AWAY or (spread.max() < 0.02 and away.min() > 0.5):
            yield (
                True,
                (
                    f'values around {values.mean():.3g} where the model expects '
                    f'{mean.mean():.3g} ± {std.mean():.3g}: another unit'
                ),
            )


def _against_facts(values: np.ndarray, bands, facts: Mapping):
    low, high = (np.array(facts[key]) for key in ('low', 'high'))
    top, known = np.abs(np.quantile(values, 0.999, axis=0)).max(), np.abs(high).max()
    if top and known and max(top / known, known / top) > UNIT:
        yield (
            True,
            (
                f'values reach {top:.4g}, in training {known:.4g} '
                f'({facts.get("dtype")}): another unit'
            ),
        )
        return
    outside = ((values < low) | (values > high)).mean(axis=0)
    worst = int(outside.argmax())
    if outside[worst] > OUTSIDE:
        ends = np.quantile(values[:, worst], (0.001, 0.999))
        yield (
            False,
            (
                f'{100 * outside[worst]:.0f} % of {bands[worst]} '
                'lie outside the range of training: '
                f'{ends[0]:.4g} to {ends[1]:.4g} against {low[worst]:.4g} to {high[worst]:.4g}'
            ),
        )


def _expected(preprocessor: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Mean and deviation that a preprocessor takes out, in stored units."""
    factor = getattr(preprocessor, 'factor', None)
    if factor is None or getattr(preprocessor, 'shift', None) is None:
        return None, None
    factor, shift = (part.double().flatten().cpu().numpy() for part in (factor, preprocessor.shift))
    if not shift.any():
        return None, None
    return -shift / factor, 1 / factor
