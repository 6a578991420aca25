"""The ops that mmdet's detectors call, for an mmcv that was installed without a compiler.

mmdet imports ``mmcv.ops``, which needs the compiled module ``mmcv._ext``. Where that is absent or
broken, a stand-in takes its place, so that everything imports, and torchvision and PyTorch supply
what rsmm's detectors use: ``nms`` (and with it ``batched_nms``), ``roi_align``, multi-scale
deformable attention and the sigmoid focal loss. Any other op raises when it is called.
:mod:`rsmm.neighbours` does this whenever ``mmcv.ops`` is imported, by whomever.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import MissingDependencyError
from rsmm.ops.deform_attn import multi_scale_deformable_attention

EXTENSION = 'mmcv._ext'
_lock = threading.RLock()
_choice: str | None = None


def install() -> str:
    """Import ``mmcv.ops`` with working ops; further calls are free.

    Returns:
        ``'compiled'`` when mmcv's own ops work on the devices of this machine, else ``'fallback'``.
    """
    choice = choose()
    importlib.import_module('mmcv.ops')
    if choice == 'fallback':
        replace()
    return choice


def choose() -> str:
    """Decide between compiled ops and the stand-in, which is then in place; returns as above."""
    global _choice
    with _lock:
        if _choice is None:
            _choice = 'compiled' if compiled_ops_work() else 'fallback'
            if _choice == 'fallback':
                sys.modules[EXTENSION] = StandIn()
                setattr(sys.modules['mmcv'], '_ext', sys.modules[EXTENSION])  # noqa: B010
    return _choice


def compiled_ops_work() -> bool:
    """Call compiled ops, on the GPU too where there is one.

    That the module imports proves little: one built for another torch or GPU fails when called.
    """
    try:
        extension = importlib.import_module(EXTENSION)
        devices = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]
        return all(_suppresses(extension, device) for device in devices)
    except Exception:  # a broken extension raises anything from ImportError to RuntimeError
        return False


def _suppresses(extension: ModuleType, device: str) -> bool:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], device=device)
    scores = torch.tensor([0.9, 0.8, 0.7], device=device)
    kept = extension.nms(boxes, scores, iou_threshold=0.5, offset=0)
    return kept.tolist() == [0, 2]


class StandIn(ModuleType):
    """In place of ``mmcv._ext``: has every function, and those it lacks raise when called."""

    def __init__(self) -> None:
        super().__init__(EXTENSION)
        # Without a loader mmcv's own check rightly reports that there are no compiled ops.
        self.__spec__ = ModuleSpec(EXTENSION, None)
        self.nms = nms

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*args: object, **kwargs: object) -> None:
            raise MissingDependencyError(
                f"the op '{name}' needs mmcv's compiled ops, which are absent or do not work here",
                where='mmcv.ops',
                fix='Build mmcv where torch is installed and a compiler is present: MMCV_WITH_OPS=1'
                ' pip install --no-build-isolation --force-reinstall --no-deps onedl-mmcv',
            )

        return missing


def replace() -> None:
    """Put the functions of this module over those of ``mmcv.ops``, which has been imported."""
    # The package binds functions over submodules of the same name: go through sys.modules.
    for name, entries in _REPLACEMENTS.items():
        module = sys.modules[f'mmcv.ops.{name}']
        setattr(module, 'ext_module', sys.modules[EXTENSION])  # noqa: B010
        for attribute, entry in entries.items():
            setattr(module, attribute, entry)
            if getattr(sys.modules['mmcv.ops'], attribute, None) not in (None, module):
                setattr(sys.modules['mmcv.ops'], attribute, entry)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Greedy non-maximum suppression, as ``mmcv._ext.nms``.

    Args:
        boxes: ``(N, 4)`` x1, y1, x2, y2.
        scores: ``(N,)``.
        iou_threshold: Boxes that overlap a better one by more are dropped.
        offset: 1 counts the pixel of the lower right corner as part of the box.

    Returns:
        Kept positions in order of falling score, int64.
    """
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    from torchvision import ops as vision

    return vision.nms(boxes.float(), scores.float(), float(iou_threshold))


def roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    pool_mode: str = 'avg',
    aligned: bool = True,
) -> Tensor:
    """RoIAlign with mmcv's signature; average pooling only.

    Args:
        input: Features ``(N, C, H, W)``.
        rois: ``(K, 5)`` image index, x1, y1, x2, y2 in pixels of the image.
        output_size: Height and width of the result.
        spatial_scale: Pixels of the features per pixel of the image.
        sampling_ratio: Samples per bin and axis; 0 chooses by the size of the box.
        pool_mode: ``'avg'``.
        aligned: Shift by half a pixel (He et al.'s later correction).

    Returns:
        ``(K, C, height, width)``.
    """
    if pool_mode != 'avg':
        sys.modules[EXTENSION].roi_align_forward()
    from torchvision import ops as vision

    return vision.roi_align(
        input,
        rois.to(input.dtype),
        output_size,
        spatial_scale,
        sampling_ratio if sampling_ratio > 0 else -1,
        aligned,
    )


class DeformableAttention:
    """Looks like mmcv's autograd function and calls the PyTorch form on any device."""

    @staticmethod
    def apply(
        value: Tensor,
        shapes: Tensor,
        level_start: Tensor,
        locations: Tensor,
        weights: Tensor,
        im2col_step: int,
    ) -> Tensor:
        """Same arguments as ``MultiScaleDeformableAttnFunction.apply``; two are not needed."""
        return multi_scale_deformable_attention(value, shapes, locations, weights)


def sigmoid_focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    alpha: float = 0.25,
    weight: Tensor | None = None,
    reduction: str = 'mean',
) -> Tensor:
    """Focal loss of class indices (Lin et al., ICCV 2017) with mmcv's signature.

    Args:
        input: Logits ``(N, C)``.
        target: Class ``(N,)`` int64; C is the background.
        gamma: Focus on hard samples.
        alpha: Weight of positives.
        weight: Weight per class ``(C,)``.
        reduction: ``'none'`` ``(N, C)``, ``'mean'`` (sum over classes, mean over rows) or
            ``'sum'``.
    """
    from torchvision import ops as vision

    classes = input.shape[1]
    truth = F.one_hot(target, classes + 1)[:, :classes].to(input.dtype)
    loss = vision.sigmoid_focal_loss(input, truth, alpha, gamma, reduction='none')
    if weight is not None:
        loss = loss * weight[target.clamp(max=classes - 1)].unsqueeze(1)
    if reduction == 'none':
        return loss
    return loss.sum() / len(input) if reduction == 'mean' else loss.sum()


_REPLACEMENTS: dict[str, dict[str, object]] = {
    'nms': {},
    'roi_align': {'roi_align': roi_align},
    'focal_loss': {'sigmoid_focal_loss': sigmoid_focal_loss},
    'multi_scale_deform_attn': {
        'MultiScaleDeformableAttnFunction': DeformableAttention,
        'multi_scale_deformable_attn_pytorch': multi_scale_deformable_attention,
    },
}
