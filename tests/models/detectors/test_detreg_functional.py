"""Matching and losses of DETReg against golden values and mmdet."""

from __future__ import annotations

import pytest
import torch

from rsmm.errors import DataError
from rsmm.models.detectors.functional import detreg_losses, detreg_targets, embedding_loss

LOGITS = torch.tensor([0.0, 2.0, -1.0])
BOXES = torch.tensor([[10.0, 10, 50, 50], [40, 40, 90, 80], [0, 0, 20, 20]])
TRUTH = torch.tensor([[12.0, 12, 48, 52], [45, 40, 95, 85]])


def test_golden_costs_and_match() -> None:
    targets = detreg_targets(LOGITS, BOXES, TRUTH, (100, 100))
    expected = torch.tensor(
        [
            [[-0.173287] * 2, [-2.474215] * 2, [0.316947] * 2],
            [[0.30, 4.375], [3.85, 0.625], [3.90, 8.375]],
            [[-1.626840, 0.781527], [0.681649, -1.449186], [0.504851, 1.343653]],
        ]
    )
    torch.testing.assert_close(targets.costs, expected, atol=2e-6, rtol=0)
    total = [[-1.500127, 4.983240], [2.057434, -3.298401], [4.721798, 10.035601]]
    torch.testing.assert_close(targets.total_cost, torch.tensor(total), atol=3e-6, rtol=0)
    assert targets.queries.tolist() == [0, 1]
    assert targets.proposals.tolist() == [0, 1]
    assert targets.labels.tolist() == [0, 0, 1]


def test_golden_losses() -> None:
    targets = detreg_targets(LOGITS, BOXES, TRUTH, (100, 100))
    losses = detreg_losses(LOGITS, BOXES, TRUTH, (100, 100), targets)
    found = [losses[name].item() for name in ('loss_cls', 'loss_bbox', 'loss_iou')]
    assert found == pytest.approx([0.060766, 0.4625, 0.461987], abs=2e-6)


def test_golden_embedding_loss() -> None:
    predicted = torch.tensor([[0.2, 0.4, 0.6, 0.8], [1, 0, 1, 0]])
    target = torch.tensor([[0, 0.5, 0.5, 1], [1, 1, 0, 0]])
    assert embedding_loss(predicted, target).item() == pytest.approx(0.325)
    assert embedding_loss(target, target).item() == 0


def random_case(queries: int = 20, proposals: int = 6) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    corners = torch.rand(queries + proposals, 4, generator=generator) * 60
    boxes = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:] + 1], dim=1)
    return torch.randn(queries, generator=generator), boxes[:queries], boxes[queries:]


@pytest.mark.parametrize(('queries', 'proposals'), [(20, 6), (4, 9), (5, 0)])
def test_matching_is_one_to_one(queries: int, proposals: int) -> None:
    logits, boxes, truth = random_case(queries, proposals)
    targets = detreg_targets(logits, boxes, truth, (128, 130))
    count = min(queries, proposals)
    assert len(set(targets.queries.tolist())) == len(set(targets.proposals.tolist())) == count
    assert (targets.labels == 0).sum() == count


def test_permuting_proposals_changes_no_loss() -> None:
    logits, boxes, truth = random_case()
    order = torch.randperm(len(truth), generator=torch.Generator().manual_seed(5))
    teacher = torch.randn(len(truth), 8)
    predicted = torch.randn(len(logits), 8)
    values = []
    for proposals, vectors in ((truth, teacher), (truth[order], teacher[order])):
        targets = detreg_targets(logits, boxes, proposals, (128, 130))
        losses = detreg_losses(logits, boxes, proposals, (128, 130), targets)
        embedding = embedding_loss(predicted[targets.queries], vectors[targets.proposals])
        values.append(torch.stack([*losses.values(), embedding]))
    torch.testing.assert_close(*values)


def test_agrees_with_mmdet() -> None:
    from rsmm.ops.mmcv_fallback import install

    install()
    from mmdet.models.task_modules.assigners import HungarianAssigner
    from mmengine.structures import InstanceData

    logits, boxes, truth = random_case()
    assigner = HungarianAssigner(
        [
            dict(type='mmdet.FocalLossCost', weight=2.0),
            dict(type='mmdet.BBoxL1Cost', weight=5.0, box_format='xywh'),
            dict(type='mmdet.IoUCost', iou_mode='giou', weight=2.0),
        ]
    )
    result = assigner.assign(
        InstanceData(bboxes=boxes, scores=logits[:, None]),
        InstanceData(bboxes=truth, labels=torch.zeros(len(truth), dtype=torch.long)),
        dict(img_shape=(128, 130)),
    )
    targets = detreg_targets(logits, boxes, truth, (128, 130))
    theirs = result.gt_inds.nonzero().flatten()
    assert theirs.tolist() == targets.queries.tolist()
    assert (result.gt_inds[theirs] - 1).tolist() == targets.proposals.tolist()


def test_64_bits_stay_64_bits() -> None:
    wide = [part.double() for part in random_case()]
    targets = detreg_targets(*wide, (128, 130))
    assert targets.costs.dtype == targets.boxes.dtype == torch.float64
    narrow = detreg_targets(*random_case(), (128, 130))
    torch.testing.assert_close(targets.costs.float(), narrow.costs, atol=1e-5, rtol=1e-5)


def test_bad_input() -> None:
    with pytest.raises(DataError, match='expected logits'):
        detreg_targets(LOGITS, BOXES[:2], TRUTH, (100, 100))
    with pytest.raises(DataError, match='not finite'):
        detreg_targets(LOGITS * float('nan'), BOXES, TRUTH, (100, 100))
    for flat in ([5.0, 5, 5, 9], [9, 9, 5, 5], [float('nan'), 0, 5, 5]):
        with pytest.raises(DataError, match='no area'):
            detreg_targets(LOGITS, BOXES, torch.tensor([flat]), (100, 100))
    with pytest.raises(DataError, match='differ in shape'):
        embedding_loss(torch.zeros(2, 512), torch.zeros(2, 128))
