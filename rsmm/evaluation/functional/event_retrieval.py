"""Whether events of a kind find each other: P@k, mAP, R-precision, and probes across events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rsmm.errors import DataError

_CHUNK = 512  # queries compared at a time


def event_means(
    features: np.ndarray, events: Sequence | np.ndarray, labels: Sequence | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the pair vectors of each event.

    Args:
        features: ``(N, D)``.
        events: Event of each row.
        labels: Label of each row, the same within an event.

    Returns:
        Means ``(E, D)``, labels and names ``(E,)``, events in the order of their names.

    Raises:
        DataError: An event has two labels.
    """
    events, labels = np.asarray(events), np.asarray(labels)
    names, first, inverse = np.unique(events, return_index=True, return_inverse=True)
    for name in names[np.unique(inverse[labels != labels[first][inverse]])]:
        found = ', '.join(map(str, np.unique(labels[events == name])))
        raise DataError(f'event {name} has the labels {found}', fix='Give each event one label')
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, inverse, np.asarray(features, np.float64))
    return sums / np.bincount(inverse)[:, None], labels[first], names


def retrieval_scores(
    features: np.ndarray,
    labels: Sequence | np.ndarray,
    ks: Sequence[int] = (25,),
    positive: object = None,
    groups: Sequence | np.ndarray | None = None,
) -> dict[str, float]:
    """Let each positive sample query all others by cosine similarity.

    Source of the protocol: Mall et al. (NeurIPS 2022) report precision at 25 of events of one kind;
    how exactly is not published, so all of this is stated here. Equal similarities keep the order
    of the samples.

    Args:
        features: ``(N, D)``, normalised inside; of one row each event, see :func:`event_means`.
        labels: Label of each sample.
        ks: Depths of P@k.
        positive: Samples with this label query; None: all, each for its own label.
        groups: Samples of a query's group are no candidates, e.g. pairs of the same event; None:
            only the query itself is left out.

    Returns:
        ``P@k`` for each k, ``mAP`` and ``R-precision``, means over the queries, 0..1; ``chance``,
        the share of positives among the candidates; ``queries``, how many could be asked (those
        with another sample to find).

    Raises:
        DataError: No query, values that are not finite, or k beyond the number of candidates.
    """
    labels = np.asarray(labels)
    group = np.arange(len(labels)) if groups is None else np.asarray(groups)
    if not len(features) == len(labels) == len(group):
        raise DataError(f'{len(features)} features, {len(labels)} labels, {len(group)} groups')
    if not np.isfinite(features).all():
        raise DataError('features hold NaN or infinity', fix='Look at the run that made them')
    every = np.ones(len(labels), bool)
    wanted = every if positive is None else np.asarray(labels == positive) & every
    if not wanted.any():
        raise DataError(f'no sample has the label {positive!r}; there are {_names(labels)}')
    unit = np.asarray(features, np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    rows = []
    queries = np.flatnonzero(wanted)
    for part in np.array_split(queries, max(1, -(-len(queries) // _CHUNK))):
        similarity = unit[part] @ unit.T
        similarity[group[part][:, None] == group[None]] = -np.inf
        order = np.argsort(-similarity, axis=1, kind='stable')
        for query, ranked, values in zip(part, order, similarity, strict=True):
            candidates = ranked[: int(np.isfinite(values).sum())]
            rows.append(_ranking(labels[candidates] == labels[query], ks))
    return _averages([row for row in rows if row is not None])


def _ranking(hits: np.ndarray, ks: Sequence[int]) -> dict[str, float] | None:
    """Scores of one query from its hits ``(M,)`` in order; None with nothing to find."""
    relevant = int(hits.sum())
    if not relevant:
        return None
    if not 1 <= min(ks, default=1) <= max(ks, default=1) <= len(hits):
        raise DataError(
            f'P@{", P@".join(map(str, ks))} of {len(hits)} candidates', fix='Choose a smaller k'
        )
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    return {
        **{f'P@{k}': precision[k - 1] for k in ks},
        'mAP': precision[hits].mean(),
        'R-precision': precision[relevant - 1],
        'chance': relevant / len(hits),
    }


def _averages(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    if not rows:
        raise DataError('no query has another sample of its label to find')
    scores = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {**scores, 'queries': len(rows)}


def split_events(
    events: Sequence | np.ndarray, labels: Sequence | np.ndarray, share: float = 0.5, seed: int = 0
) -> np.ndarray:
    """Draw whole events for testing, the same share of each label.

    Args:
        events: Event of each sample.
        labels: Label of each sample, the same within an event.
        share: Of the events of each label that is tested, rounded, at least one; the label must
            have two.
        seed: Of the draw.

    Returns:
        ``(N,)`` bool, True where a sample is for testing; an event is never on both sides.

    Raises:
        DataError: A label with a single event.
    """
    events, labels = np.asarray(events), np.asarray(labels)
    rng, tested = np.random.default_rng(seed), []
    for label in np.unique(labels):
        names = np.unique(events[labels == label])
        if len(names) < 2:
            raise DataError(
                f'label {label} has one event only ({names[0]})',
                fix='Join it with another label, or leave it out',
            )
        count = min(max(1, round(share * len(names))), len(names) - 1)
        tested += rng.permutation(names)[:count].tolist()
    return np.isin(events, tested)


def probe_events(
    features: np.ndarray,
    events: Sequence | np.ndarray,
    labels: Sequence | np.ndarray,
    positive: object,
    k: int = 20,
    seeds: Sequence[int] = range(5),
) -> dict[str, float]:
    """Average precision of kNN votes and of a logistic regression for one label, events apart.

    Args:
        features: ``(N, D)``, e.g. of all pairs of all events.
        events, labels: Of each row.
        positive: The label to be told from all others.
        k: Neighbours that vote; fewer where the training half is smaller.
        seeds: Of the splits, see :func:`split_events`.

    Returns:
        ``knn_ap``, ``linear_ap`` and their deviations ``*_std`` over the splits (N - 1), and
        ``chance``, the mean share of positives that were tested.

    Raises:
        DataError: No sample or only samples of that label.
    """
    from sklearn.metrics import average_precision_score

    truth = np.asarray(labels) == positive
    if truth.all() or not truth.any():
        raise DataError(f'label {positive!r} has {int(truth.sum())} of {len(truth)} samples')
    rows = []
    for seed in seeds:
        test = split_events(events, truth, seed=seed)
        parts = features[~test], truth[~test], features[test]
        scores = {'knn_ap': _knn(*parts, k), 'linear_ap': _linear(*parts)}
        row = {name: average_precision_score(truth[test], s) for name, s in scores.items()}
        rows.append({**row, 'chance': truth[test].mean()})
    result = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    for name in ('knn_ap', 'linear_ap'):
        spread = [row[name] for row in rows]
        result[f'{name}_std'] = float(np.std(spread, ddof=1)) if len(rows) > 1 else 0.0
    return result


def _knn(bank: np.ndarray, truth: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    import torch

    from rsmm.evaluation.functional.knn import knn_scores

    parts = torch.tensor(bank).float(), torch.tensor(truth).long(), torch.tensor(queries).float()
    return knn_scores(*parts, num_classes=2, k=min(k, len(bank)))[:, 1].numpy()


def _linear(train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    model = LogisticRegression(max_iter=1000, C=0.1).fit((train - mean) / std, truth)
    return model.decision_function((test - mean) / std)


def _names(labels: np.ndarray) -> str:
    return ', '.join(map(str, np.unique(labels)[:8]))
