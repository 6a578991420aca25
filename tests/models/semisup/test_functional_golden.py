"""Worked cases of the functional forms, in float64; the file's readme says where they are from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.models.semisup import functional as F

GOLDEN = json.loads((Path(__file__).parents[2] / 'data/semisup_golden.json').read_text())
CASES = {case['name']: case for case in GOLDEN['cases']}
SEQUENCES = {sequence['name']: sequence for sequence in GOLDEN['sequences']}
KINDS = {'t': torch.float64, 'i': torch.int64, 'b': torch.bool}


def argument(value):
    """The argument that a case describes."""
    if not isinstance(value, dict):
        return value
    ((key, content),) = value.items()
    if key == 'pair':
        return tuple(content)
    if key == 'state':
        return tuple(argument(part) for part in content)
    return torch.tensor(content, dtype=KINDS[key])


def assert_same(found, expected) -> None:
    if isinstance(expected, dict):
        assert len(found) == len(expected['tuple'])
        for part, wanted in zip(found, expected['tuple'], strict=True):
            assert_same(part, wanted)
        return
    wanted = torch.from_numpy(np.asarray(expected))
    found = torch.as_tensor(found)
    if wanted.dtype == torch.bool:
        assert found.dtype == torch.bool
        assert torch.equal(found, wanted)
    else:
        assert found.dtype == torch.float64, 'float64 goes in, so float64 comes out'
        torch.testing.assert_close(found, wanted.double(), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize('name', CASES)
def test_case(name):
    case = CASES[name]
    args = [argument(value) for value in case['args']]
    leaf = None
    if 'grad' in case:
        leaf = args[case['grad']['arg']].requires_grad_()
    # Tensors that must not get a gradient ask for one, so that a leak would be seen.
    others = [a for a in args if torch.is_tensor(a) and a.is_floating_point() and a is not leaf]
    leaks = case['call'] in ('consistency', 'distill')
    for other in others if leaks else ():
        other.requires_grad_()
    found = getattr(F, case['call'])(*args, **case.get('kwargs', {}))
    if isinstance(found, float):
        found = torch.tensor(found, dtype=torch.float64)
    assert_same(found.detach() if torch.is_tensor(found) else found, case['expect'])
    if leaf is not None:
        found.sum().backward()
        assert_same(leaf.grad, case['grad']['value'])
        assert all(other.grad is None for other in others)


def probabilities(step: dict, key: str, multi_label: bool) -> torch.Tensor:
    logits = torch.tensor(step[key], dtype=torch.float64)
    return logits.sigmoid() if multi_label else logits.softmax(dim=1)


def run_freematch(sequence: dict) -> None:
    multi = sequence['multi_label']
    state = tuple(torch.tensor(part, dtype=torch.float64) for part in sequence['initial'])
    for step in sequence['steps']:
        probs = probabilities(step, 'logits', multi)
        state = F.freematch_update(state, probs, sequence['momentum'], multi)
        for part, name in zip(state, ('tau', 'pi', 'hist'), strict=True):
            assert_same(part, step[name])
        mask = F.freematch_mask(state, probs, multi)
        assert_same(mask, step['mask'])
        strong = torch.tensor(step['strong_logits'], dtype=torch.float64)
        assert_same(F.freematch_fairness(state, strong, mask, multi), step['fairness'])


def run_softmatch(sequence: dict) -> None:
    multi = sequence['multi_label']
    state = tuple(torch.tensor(part, dtype=torch.float64) for part in sequence['initial'])
    for step in sequence['steps']:
        probs = probabilities(step, 'logits', multi)
        mean, target = (
            torch.tensor(step[key], dtype=torch.float64) for key in ('model_mean', 'target')
        )
        aligned = F.align(probs, mean, target, multi)
        assert_same(aligned, step['aligned'])
        state = F.softmatch_update(state, aligned, sequence['momentum'], multi)
        assert_same(state[0], step['mean'])
        assert_same(state[1], step['var'])
        assert_same(F.softmatch_weight(state, aligned, sequence['n_sigma'], multi), step['weight'])


def run_adamatch(sequence: dict) -> None:
    for step in sequence['steps']:
        mean, target = (
            torch.tensor(step[key], dtype=torch.float64) for key in ('model_mean', 'target')
        )
        aligned = F.align(probabilities(step, 'logits', False), mean, target)
        assert_same(aligned, step['aligned'])
        labelled = probabilities(step, 'labelled_logits', False)
        limit = F.adamatch_threshold(labelled, sequence['threshold'])
        assert_same(limit, step['threshold'])
        assert_same(F.fixed_mask(aligned, limit), step['mask'])


def run_flexmatch(sequence: dict) -> None:
    for step in sequence['steps']:
        counts = torch.tensor(step['counts'])
        found = F.flex_thresholds(counts, sequence['total'], sequence['threshold'])
        assert_same(found, step['thresholds'])


def run_dash(sequence: dict) -> None:
    for step in sequence['steps']:
        rho = F.dash_threshold(sequence['rho0'], step['step'])
        assert rho == pytest.approx(step['rho'], abs=1e-9)
        assert (rho == 0.05) == step['hard']


def run_cap(sequence: dict) -> None:
    rate = torch.tensor(sequence['positive_rate'], dtype=torch.float64)
    rows = []
    for step in sequence['steps']:
        rows.append(torch.tensor(step['queue'], dtype=torch.float64))
        found = F.cap_thresholds(rows[-1], rate, sequence['pos_per'], sequence['neg_per'])
        for part, name in zip(found, ('label', 'positive', 'negative'), strict=True):
            assert_same(part, step[name])


RUNS = {
    'freematch': run_freematch,
    'softmatch': run_softmatch,
    'adamatch': run_adamatch,
    'flexmatch': run_flexmatch,
    'dash': run_dash,
    'cap': run_cap,
}


@pytest.mark.parametrize('name', SEQUENCES)
def test_sequence(name):
    RUNS[SEQUENCES[name]['rule']](SEQUENCES[name])
