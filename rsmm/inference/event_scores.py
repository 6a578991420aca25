"""Retrieval of labelled events from a file of features."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from rsmm.datasets.event_labels import read_event_labels
from rsmm.errors import DataError
from rsmm.evaluation.functional.event_retrieval import event_means, probe_events, retrieval_scores
from rsmm.inference.folder_features import load_features


def labelled_scores(
    features: str | PathLike,
    table: str | PathLike,
    column: str = 'label',
    positive: str | None = None,
    ks: Sequence[int] = (25,),
    seeds: int = 5,
) -> tuple[dict[str, float], str]:
    """Score the events of a file of features that have a label.

    Args:
        features: File of ``extract_features.py --events``: a row a pair, labels its events.
        table: See :func:`read_event_labels`.
        column: Column of the labels.
        positive: Label whose events query; None: all.
        ks: Depths of P@k.
        seeds: Splits of the probes.

    Returns:
        What :func:`retrieval_scores` and, for one label, :func:`probe_events` return; and a remark
        on how many events have no label, empty if all have.

    Raises:
        DataError: No event has a label.
    """
    _, vectors, events = load_features(features)
    labels = read_event_labels(table, column)
    known = np.array([event in labels for event in events])
    lacking = sorted(set(events[~known].tolist()))
    if not known.any():
        raise DataError(
            f'holds no label of the {len(lacking)} events ({lacking[0]})',
            where=table,
            fix='The column event must hold the names of the event folders',
        )
    vectors, events = vectors[known], events[known]
    names = np.array([labels[event] for event in events])
    means, means_labels, _ = event_means(vectors, events, names)
    scores = retrieval_scores(means, means_labels, ks, positive)
    if positive is not None:
        found = probe_events(vectors, events, names, positive, seeds=range(seeds))
        scores |= {name: value for name, value in found.items() if name != 'chance'}
    note = f'{len(lacking)} events without a label left out ({lacking[0]})' if lacking else ''
    return scores, note
