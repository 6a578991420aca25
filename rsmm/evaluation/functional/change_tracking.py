"""SpaceNet Change and Object Tracking (SCOT): the metric of SpaceNet 7, and MOTA beside it.

Source: Van Etten et al., "The Multi-Temporal Urban Development SpaceNet Dataset", CVPR 2021.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from rsmm.errors import ConfigError, DataError
from rsmm.evaluation.functional.footprints import f1_score, match_with_ties
from rsmm.geo.overlap import FootprintSet

Frame = Sequence[tuple[Hashable, shapely.Geometry]]
Cubes = Mapping[str, Mapping[str, Frame]]

_ORDERS = ('ids', 'text', 'rows')


def scot(
    truth: Cubes,
    proposals: Cubes,
    min_iou: float = 0.25,
    min_area: float = 4.0,
    beta: float = 2.0,
    order: str = 'ids',
) -> dict:
    """Score tracked building footprints against the truth.

    Args:
        truth: ``{aoi: {'YYYY_MM': [(id, geometry), ...]}}`` in pixel coordinates. Rows smaller
            than ``min_area`` are dropped; months without rows after that are not evaluated.
        proposals: The same for the predictions; these are not filtered by area. An empty
            geometry is a proposal that matches nothing.
        min_iou: A match needs an IoU above it (>).
        min_area: Smallest truth area kept, in square pixels (>=).
        beta: Weight of the tracking term over the change term.
        order: Decides between equally good matchings of a month, which are common where footprints
            follow pixel edges and differ in the identities that they join: the order in which
            the footprints stand in the matrix that SciPy's assignment is given. ``'ids'``: sorted
            by id, as the reference scorer does (ids that cannot be compared: as text);
            ``'text'``: by the ids as text (10 before 2), as it does when it reads a CSV file;
            ``'rows'``: as given.

    Returns:
        ``score``: mean of ``combined`` over the AOIs with truth, from 0 to 1.
        ``mota``: multi-object tracking accuracy pooled over all AOIs and months, NaN without truth.
        ``per_aoi[aoi]``: ``mismatches, track_tp, track_fp, track_fn, track_score, change_tp,
        change_fp, change_fn, change_score, combined, mota`` and ``per_frame``.
        ``per_frame[aoi]``: per evaluated month ``timestep, n_gt, n_pred, tp, fp, fn`` (before the
        mismatch correction), ``f1``, ``switches``, ``matches`` as ``[truth id, proposal id]`` and
        ``tied``, the number of matches that another, equally good matching lacks.
        ``tied``: their number in all.
        ``ignored``: ``aois`` and ``months`` (``aoi/month``) of proposals that no truth covers, and
        the number of their ``rows``. ``invalid``: number of self-crossing polygons met.

    Raises:
        DataError: An id occurs twice in a month, or a geometry is not a polygon.
        ConfigError: ``min_iou`` outside [0, 1], a negative ``min_area`` or ``beta``, or an unknown
            ``order``.

    Warns:
        UserWarning: No truth at all (the score is then 0), AOIs with truth but without any
            proposal (they score 0), proposals for unknown AOIs or months,
            truth and proposals of an AOI that lie wholly apart (other coordinates?),
            self-crossing polygons. Of those the shoelace area and the repaired overlap count, as
            in the reference scorer.
    """
    if not (0 <= min_iou <= 1 and min_area >= 0 and beta >= 0):
        raise ConfigError(
            f'min_iou={min_iou}, min_area={min_area}, beta={beta}',
            fix='Expected min_iou from 0 to 1, min_area and beta not negative',
        )
    if order not in _ORDERS:
        raise ConfigError(f'order={order!r}', fix=f'Expected one of {", ".join(_ORDERS)}')
    months = {aoi: _evaluated_months(aoi, cube, min_area) for aoi, cube in truth.items()}
    months = {aoi: frames for aoi, frames in months.items() if frames}
    tallies = {
        aoi: _score_aoi(aoi, frames, proposals.get(aoi, {}), min_iou, order)
        for aoi, frames in months.items()
    }
    ignored = _ignored(months, proposals)
    invalid = sum(tally.invalid for tally in tallies.values())
    apart = [aoi for aoi, tally in tallies.items() if tally.apart]
    bare = [aoi for aoi in months if not any(proposals.get(aoi, {}).values())]
    _warn(months, ignored, invalid, apart, bare)
    per_aoi = {aoi: tally.summary(beta) for aoi, tally in tallies.items()}
    combined = [entry['combined'] for entry in per_aoi.values()]
    return {
        'score': float(np.mean(combined)) if combined else 0.0,
        'mota': _mota(frame for tally in tallies.values() for frame in tally.frames),
        'per_aoi': per_aoi,
        'per_frame': {aoi: tally.frames for aoi, tally in tallies.items()},
        'ignored': ignored,
        'invalid': invalid,
        'tied': sum(frame['tied'] for tally in tallies.values() for frame in tally.frames),
    }


def mota(truth: Cubes, proposals: Cubes, min_iou: float = 0.25, min_area: float = 4.0) -> float:
    """Return the tracking accuracy 1 - (FN + FP + switches) / truth, or NaN without truth.

    Uses the monthly matching of :func:`scot`; a switch is a truth building whose matched proposal
    id differs from that of its previous match. The value lies in (-inf, 1].
    """
    return scot(truth, proposals, min_iou, min_area)['mota']


def format_scot(result: dict) -> str:
    """Return the numbers of :func:`scot` as a table, one line per AOI."""
    names = {
        'mismatches': 'mm', 'track_tp': 'TP', 'track_fp': 'FP', 'track_fn': 'FN',
        'track_score': 'T', 'change_tp': 'cTP', 'change_fp': 'cFP', 'change_fn': 'cFN',
        'change_score': 'C', 'combined': 'SCOT', 'mota': 'MOTA',
    }  # fmt: skip
    width = max([len(aoi) for aoi in result['per_aoi']] + [len('mean')])
    lines = [' '.join([' ' * width, *(f'{short:>7}' for short in names.values())])]
    for aoi, entry in result['per_aoi'].items():
        values = (entry[name] for name in names)
        cells = (f'{v:7d}' if isinstance(v, int) else f'{v:7.4f}' for v in values)
        lines.append(' '.join([f'{aoi:{width}}', *cells]))
    lines.append(f'SCOT {100 * result["score"]:.2f} (x 100), MOTA {result["mota"]:.4f}')
    if result['tied']:
        matches = sum(f['tp'] for frames in result['per_frame'].values() for f in frames)
        lines.append(f'{result["tied"]} of {matches} matches were one choice of several as good')
    return '\n'.join(lines)


@dataclass
class _Tally:
    """Counts of one AOI."""

    mismatches: int = 0
    change: np.ndarray = field(default_factory=lambda: np.zeros(3, np.int64))  # tp, fp, fn
    frames: list[dict] = field(default_factory=list)
    invalid: int = 0
    apart: bool = False

    def summary(self, beta: float) -> dict:
        totals = np.array([[f['tp'], f['fp'], f['fn']] for f in self.frames]).sum(axis=0)
        tp, fp, fn = (totals + np.array([-1, 1, 1]) * self.mismatches).tolist()
        change_tp, change_fp, change_fn = self.change.tolist()
        track, change = f1_score(tp, fp, fn), f1_score(change_tp, change_fp, change_fn)
        denominator = beta**2 * change + track
        return {
            'mismatches': self.mismatches,
            'track_tp': tp,
            'track_fp': fp,
            'track_fn': fn,
            'track_score': track,
            'change_tp': change_tp,
            'change_fp': change_fp,
            'change_fn': change_fn,
            'change_score': change,
            'combined': (1 + beta**2) * change * track / denominator if denominator else 0.0,
            'mota': _mota(self.frames),
            'per_frame': self.frames,
        }


def _evaluated_months(aoi: str, cube: Mapping[str, Frame], min_area: float) -> dict:
    """Months in order with ids and footprints of the truth that is large enough."""
    months = {}
    for month in sorted(cube):
        ids, footprints = _read(cube[month], f'truth {aoi} {month}')
        large = np.flatnonzero(footprints.area >= min_area)
        if len(large):
            kept = [ids[k] for k in large]
            _check_unique(kept, f'truth {aoi} {month}')
            months[month] = kept, footprints.take(large)
    return months


def _read(frame: Frame, where: str) -> tuple[list, FootprintSet]:
    ids = [row[0] for row in frame]
    return ids, FootprintSet([row[1] for row in frame], where)


def _check_unique(ids: list, where: str) -> None:
    if len(set(ids)) == len(ids):
        return
    double = next(name for place, name in enumerate(ids) if name in ids[:place])
    raise DataError(
        f'id {double!r} occurs {ids.count(double)} times',
        where=where,
        fix='An id names one building; merge its parts (rsmm.geo.merge_same_ids) or renumber',
    )


def _positions(ids: list, order: str) -> np.ndarray:
    """Positions of the rows in the order in which the assignment takes them."""
    if order == 'rows':
        return np.arange(len(ids))
    if order == 'ids':
        try:
            return np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
        except TypeError:  # numbers and text
            pass
    return np.array(sorted(range(len(ids)), key=lambda k: str(ids[k])), np.int64)


def _score_aoi(
    aoi: str, months: Mapping, proposals: Mapping[str, Frame], min_iou: float, order: str
) -> _Tally:
    tally = _Tally()
    last_proposal: dict = {}  # truth id -> proposal id of its latest match
    last_truth: dict = {}
    seen_truth: set = set()
    seen_proposals: set = set()
    boxes: list[tuple] = []
    for index, (month, (truth_ids, truth)) in enumerate(months.items()):
        where = f'proposals {aoi} {month}'
        ids, footprints = _read(proposals.get(month, ()), where)
        _check_unique(ids, where)
        tally.invalid += int((~truth.valid).sum() + (~footprints.valid).sum())
        boxes.append((truth.bounds, footprints.bounds))
        positions = _positions(truth_ids, order), _positions(ids, order)
        pairs, tied = match_with_ties(truth, footprints, min_iou, positions)
        matches = [(truth_ids[g], ids[p]) for g, p in pairs]
        switches = 0
        for g, p in matches:
            switched = bool(last_proposal.get(g, p) != p)
            switches += switched
            tally.mismatches += switched or bool(last_truth.get(p, g) != g)
            last_proposal[g], last_truth[p] = p, g
        if index:
            tally.change += _change(matches, truth_ids, ids, seen_truth, seen_proposals)
        seen_truth.update(truth_ids)
        seen_proposals.update(ids)
        frame = _frame(month, len(truth_ids), len(ids), matches, switches)
        tally.frames.append(frame | {'tied': tied})
    tally.apart = _lie_apart(*(np.concatenate(side) for side in zip(*boxes, strict=True)))
    return tally


def _lie_apart(truth: np.ndarray, proposals: np.ndarray) -> bool:
    """Whether two sets of boxes (N, 4), empty ones NaN, have no place in common."""
    first, second = (side[~np.isnan(side[:, 0])] for side in (truth, proposals))
    if not len(first) or not len(second):
        return False
    low = np.maximum(first[:, :2].min(axis=0), second[:, :2].min(axis=0))
    high = np.minimum(first[:, 2:].max(axis=0), second[:, 2:].max(axis=0))
    return bool((low > high).any())


def _change(
    matches: Sequence,
    truth_ids: Sequence,
    proposal_ids: Sequence,
    seen_truth: set,
    seen_proposals: set,
) -> np.ndarray:
    """Counts (tp, fp, fn) of new buildings of one month."""
    new_truth = {g for g in truth_ids if g not in seen_truth}
    new_proposals = {p for p in proposal_ids if p not in seen_proposals}
    both = sum(g in new_truth and p in new_proposals for g, p in matches)
    return np.array([both, len(new_proposals) - both, len(new_truth) - both])


def _frame(month: str, truth: int, proposals: int, matches: list, switches: int) -> dict:
    tp = len(matches)
    fp, fn = proposals - tp, truth - tp
    return {
        'timestep': month,
        'n_gt': truth,
        'n_pred': proposals,
        'tp': tp,
        'fp': fp,
        'fn': fn,
        'f1': f1_score(tp, fp, fn),
        'switches': switches,
        'matches': [list(pair) for pair in matches],
    }


def _mota(frames: Iterable[dict]) -> float:
    errors = truth = 0
    for frame in frames:
        errors += frame['fn'] + frame['fp'] + frame['switches']
        truth += frame['n_gt']
    return 1 - errors / truth if truth else float('nan')


def _ignored(months: Mapping[str, Mapping], proposals: Cubes) -> dict:
    aois, skipped, rows = [], [], 0
    for aoi, cube in proposals.items():
        if aoi not in months:
            aois.append(aoi)
            rows += sum(len(frame) for frame in cube.values())
            continue
        extra = [month for month in cube if month not in months[aoi]]
        skipped += [f'{aoi}/{month}' for month in sorted(extra)]
        rows += sum(len(cube[month]) for month in extra)
    return {'aois': sorted(aois), 'months': skipped, 'rows': rows}


def _warn(
    months: Mapping, ignored: dict, invalid: int, apart: Sequence[str], bare: Sequence[str]
) -> None:
    if not months:
        warnings.warn('SCOT: no truth is left after the area filter; the score is 0', stacklevel=3)
    if bare:
        warnings.warn(
            f'SCOT: no proposals for {len(bare)} of {len(months)} AOIs ({bare[0]}); they score 0',
            stacklevel=3,
        )
    if ignored['rows'] or ignored['aois'] or ignored['months']:
        warnings.warn(
            f'SCOT: {ignored["rows"]} proposals are not scored: no truth for '
            f'{len(ignored["aois"])} AOIs and {len(ignored["months"])} months of known AOIs',
            stacklevel=3,
        )
    if apart:
        warnings.warn(
            f'SCOT: truth and proposals lie wholly apart in {len(apart)} AOIs ({apart[0]}); '
            'are both in pixels of the same image?',
            stacklevel=3,
        )
    if invalid:
        warnings.warn(
            f'SCOT: {invalid} self-crossing polygons; they count with their shoelace area',
            stacklevel=3,
        )
