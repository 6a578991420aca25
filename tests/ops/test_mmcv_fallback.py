"""The ops supplied in place of mmcv's, alone and inside mmdet's detectors."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rsmm.errors import MissingDependencyError
from rsmm.ops import mmcv_fallback
from rsmm.ops.deform_attn import multi_scale_deformable_attention
from rsmm.registry import MODELS

CHOICE = mmcv_fallback.install()
fallback_only = pytest.mark.skipif(CHOICE == 'compiled', reason='compiled ops work here')
compiled_only = [
    pytest.mark.compiled_ops,
    pytest.mark.skipif(CHOICE != 'compiled', reason='needs working compiled ops of mmcv'),
]


def attention_inputs(device: str = 'cpu', dtype=torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shapes = torch.tensor([[6, 5], [3, 4]])
    value = torch.randn(2, 42, 2, 4, generator=generator, dtype=dtype)
    # Some places lie outside the maps.
    places = torch.rand(2, 7, 2, 2, 3, 2, generator=generator, dtype=dtype) * 1.4 - 0.2
    weights = torch.rand(2, 7, 2, 2, 3, generator=generator, dtype=dtype)
    return value.to(device), shapes.to(device), places.to(device), weights.to(device)


def attention_by_hand(value, shapes, places, weights) -> torch.Tensor:
    """Bilinear sampling written as a loop over every single number."""
    batch, _, heads, dim = value.shape
    queries, points = places.shape[1], places.shape[4]
    output = torch.zeros(batch, queries, heads, dim, dtype=value.dtype)
    start = 0
    for level, (height, width) in enumerate(shapes.tolist()):
        maps = value[:, start : start + height * width].view(batch, height, width, heads, dim)
        start += height * width
        for n, q, h, p in torch.cartesian_prod(
            *(torch.arange(k) for k in (batch, queries, heads, points))
        ).tolist():
            x, y = places[n, q, h, level, p].tolist()
            x, y = x * width - 0.5, y * height - 0.5
            for row in (int(y // 1), int(y // 1) + 1):
                for column in (int(x // 1), int(x // 1) + 1):
                    if 0 <= row < height and 0 <= column < width:
                        share = (1 - abs(y - row)) * (1 - abs(x - column))
                        factor = share * weights[n, q, h, level, p]
                        output[n, q, h] += factor * maps[n, row, column, h]
    return output.flatten(2)


def test_attention_is_weighted_bilinear_sampling() -> None:
    inputs = attention_inputs()
    torch.testing.assert_close(
        multi_scale_deformable_attention(*inputs), attention_by_hand(*inputs)
    )


def test_attention_gradients() -> None:
    value, shapes, places, weights = attention_inputs()
    value, places, weights = (t.requires_grad_() for t in (value, places, weights))
    assert torch.autograd.gradcheck(
        lambda v, p, w: multi_scale_deformable_attention(v, shapes, p, w),
        (value, places, weights),
    )


@pytest.mark.parametrize('offset', [0, 1])
def test_nms_against_definition(offset: int) -> None:
    generator = torch.Generator().manual_seed(1)
    corners = torch.randint(0, 20, (40, 2), generator=generator).float()
    sizes = torch.randint(2, 15, (40, 2), generator=generator)
    boxes = torch.cat([corners, corners + sizes], 1)
    scores = torch.rand(40, generator=generator)
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        overlaps = []
        for other in kept:
            low = torch.maximum(boxes[index, :2], boxes[other, :2])
            high = torch.minimum(boxes[index, 2:], boxes[other, 2:]) + offset
            common = (high - low).clamp(min=0).prod()
            areas = [(boxes[k, 2:] - boxes[k, :2] + offset).prod() for k in (index, other)]
            overlaps.append(common / (sum(areas) - common))
        if not overlaps or max(overlaps) <= 0.4:
            kept.append(index)
    assert mmcv_fallback.nms(boxes, scores, 0.4, offset).tolist() == kept


def test_batched_nms_keeps_classes_apart() -> None:
    from mmcv.ops import batched_nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    detections, kept = batched_nms(
        boxes, scores, torch.tensor([0, 0, 1]), dict(type='nms', iou_threshold=0.5)
    )
    assert kept.tolist() == [0, 2]
    assert detections.shape == (2, 5)


def test_roi_align_of_a_ramp_is_its_mean() -> None:
    """On a linear image the mean over a bin is the value in the bin's centre."""
    ramp = torch.arange(16.0).expand(1, 1, 16, 16) + 0.5
    pooled = mmcv_fallback.roi_align(ramp, torch.tensor([[0, 4.0, 4, 12, 12]]), 2)
    torch.testing.assert_close(pooled[0, 0, 0], torch.tensor([6.0, 10.0]))


def test_focal_loss_is_mmdets() -> None:
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 2, 3, 3, 0])
    one_hot = torch.nn.functional.one_hot(target, 4)[:, :3]
    theirs = py_sigmoid_focal_loss(logits, one_hot, reduction='none')
    torch.testing.assert_close(
        mmcv_fallback.sigmoid_focal_loss(logits, target, reduction='none'), theirs
    )


@fallback_only
def test_other_ops_say_how_to_get_them() -> None:
    from mmcv.ops import DeformConv2d, RoIPool, soft_nms

    layer = DeformConv2d(2, 2, 3, padding=1)
    calls = [
        lambda: layer(torch.zeros(1, 2, 5, 5), torch.zeros(1, 18, 5, 5)),
        lambda: RoIPool(2)(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5)),
        lambda: soft_nms(torch.zeros(1, 4), torch.zeros(1)),
        lambda: mmcv_fallback.roi_align(
            torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 2, pool_mode='max'
        ),
    ]
    for call in calls:
        with pytest.raises(MissingDependencyError, match='MMCV_WITH_OPS=1'):
            call()


@pytest.mark.parametrize(
    'nms', [lambda *args, **kwargs: torch.tensor([0, 1, 2]), None], ids=['wrong', 'absent']
)
def test_an_extension_that_imports_but_fails_is_not_working(monkeypatch, nms) -> None:
    broken = ModuleType('mmcv._ext')
    if nms is not None:
        broken.nms = nms
    monkeypatch.setitem(sys.modules, 'mmcv._ext', broken)
    assert not mmcv_fallback.compiled_ops_work()


def test_a_working_extension_is_recognised(monkeypatch) -> None:
    working = ModuleType('mmcv._ext')
    working.nms = mmcv_fallback.nms
    monkeypatch.setitem(sys.modules, 'mmcv._ext', working)
    assert mmcv_fallback.compiled_ops_work()


@pytest.mark.parametrize(
    'device', ['cpu', pytest.param('cuda', marks=[pytest.mark.gpu, *compiled_only])]
)
def test_parity_with_mmcv(device: str) -> None:
    """Forward and backward against mmcv: its PyTorch form on the CPU, its kernel on a GPU."""
    from mmcv.ops import multi_scale_deform_attn as package

    if device == 'cuda' and not torch.cuda.is_available():
        pytest.skip('needs a CUDA device')
    value, shapes, places, weights = attention_inputs(device, torch.float32)
    leaves = [t.requires_grad_() for t in (value, places, weights)]
    ours = multi_scale_deformable_attention(value, shapes, places, weights)
    mine = torch.autograd.grad(ours.square().sum(), leaves)
    if device == 'cuda':
        start = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
        function = package.MultiScaleDeformableAttnFunction.apply
        theirs = function(value, shapes, start, places, weights, 64)
    else:
        theirs = _mmcv_python_attention()(value, shapes, places, weights)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for a, b in zip(mine, torch.autograd.grad(theirs.square().sum(), leaves), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def _mmcv_python_attention():
    """mmcv's own PyTorch form; the one in its module has been replaced, so run its source again."""
    file = Path(sys.modules['mmcv.ops.multi_scale_deform_attn'].__file__)
    source = file.read_text(encoding='utf-8').replace('@MODELS.register_module()', '')
    names: dict = {'__name__': 'mmcv.ops.fresh_copy', '__package__': 'mmcv.ops'}
    exec(compile(source, file, 'exec'), names)
    return names['multi_scale_deformable_attn_pytorch']


@pytest.mark.parametrize('op', ['nms', 'roi_align', 'sigmoid_focal_loss'])
@pytest.mark.compiled_ops
@pytest.mark.skipif(CHOICE != 'compiled', reason='needs working compiled ops of mmcv')
def test_parity_with_compiled_ops(op: str) -> None:
    import mmcv.ops

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    generator = torch.Generator().manual_seed(2)
    corners = torch.rand(50, 2, generator=generator) * 50
    boxes = torch.cat([corners, corners + torch.rand(50, 2, generator=generator) * 30 + 1], 1)
    boxes = boxes.to(device)
    if op == 'nms':
        scores = torch.rand(50, generator=generator).to(device)
        ours = mmcv_fallback.nms(boxes, scores, 0.5)
        assert mmcv.ops.nms(boxes, scores, 0.5)[1].tolist() == ours.tolist()
        return
    if op == 'sigmoid_focal_loss' and device == 'cpu':
        pytest.skip('mmcv has this op on CUDA only')
    if op == 'roi_align':
        leaf = torch.randn(1, 3, 24, 24, generator=generator).to(device).requires_grad_()
        rest = (torch.cat([boxes.new_zeros(50, 1), boxes], 1), (7, 7), 0.25, 2, 'avg', True)
    else:
        leaf = torch.randn(50, 4, generator=generator).to(device).requires_grad_()
        rest = (torch.randint(0, 5, (50,), generator=generator).to(device), 2.0, 0.25)
    results = [getattr(source, op)(leaf, *rest) for source in (mmcv_fallback, mmcv.ops)]
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(result.sum(), leaf)[0] for result in results]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


def test_mmdet_builds_by_prefix() -> None:
    assert MODELS.get('mmdet.DeformableDETR').__name__ == 'DeformableDETR'
