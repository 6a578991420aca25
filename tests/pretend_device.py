"""A pretended GPU: tensors that compute on the CPU and say that they live on a device.

A machine without a GPU can thus tell whether code mixes devices, draws with a generator of the
other device or hands a tensor of the device to NumPy: each is an error here as it is on CUDA. Only
what runs forward is covered; CUDA's own kernels, their rounding and memory are not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

DEVICE = torch.device('cuda', 0)
_ATEN = torch.ops.aten
#: Their indices may be on the CPU while the tensor is on the device.
_INDEXING = (
    _ATEN.index.Tensor,
    _ATEN.index_put.default,
    _ATEN.index_put_.default,
    _ATEN._index_put_impl_.default,
)
_MOVES = (_ATEN._to_copy.default, _ATEN.copy_.default)


class OnDevice(Tensor):
    """Shows a tensor of the CPU, ``held``, as one of :data:`DEVICE`."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Catches what makes a tensor on the device from none."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


@contextlib.contextmanager
def pretended_device() -> Iterator[None]:
    """Within it ``'cuda'`` is the pretended device."""
    begin, cudnn = torch.cuda._lazy_init, torch.backends.cudnn.enabled
    torch._C._ensureCUDADeviceGuardSet()
    torch._C._set_only_lift_cpu_tensors(True)
    torch.cuda._lazy_init = lambda: None
    torch.backends.cudnn.enabled = False
    try:
        with _Factories():
            yield
    finally:
        torch.cuda._lazy_init, torch.backends.cudnn.enabled = begin, cudnn
        torch._C._set_only_lift_cpu_tensors(False)


def to_device(model: nn.Module) -> nn.Module:
    """Move a model in place; parameters that modules share stay shared.

    Modules that hide from the tree, as frozen teachers do, are moved as well.
    """
    moved: dict[int, nn.Parameter] = {}
    hidden = [part for part in vars(model).values() if isinstance(part, nn.Module)]
    for module in [module for part in (model, *hidden) for module in part.modules()]:
        for name, value in module._parameters.items():
            if value is not None and not isinstance(value, OnDevice):
                new = moved.setdefault(
                    id(value), nn.Parameter(OnDevice(value.detach()), value.requires_grad)
                )
                module._parameters[name] = new
        for name, value in module._buffers.items():
            if value is not None and not isinstance(value, OnDevice):
                module._buffers[name] = OnDevice(value)
    return model.to(DEVICE)


def _run(func: Callable, args: tuple, kwargs: dict):
    """Compute on the CPU; what comes out is where CUDA would have put it."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, OnDevice) for tensor in tensors)
    target = torch.device(kwargs['device']).type if kwargs.get('device') else None
    on_device = target == 'cuda' or (there and target is None)
    if there and func not in _MOVES:
        _same_device(func, tensors)
    if on_device and kwargs.get('generator') is not None:
        raise RuntimeError(f'{func}: a generator of the CPU draws for the device')
    if target:
        kwargs = {**kwargs, 'device': torch.device('cpu')}
    out = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if func is _ATEN.copy_.default:
        return args[0]
    if not on_device:
        return out
    out = tree_map_only(Tensor, lambda x: x if isinstance(x, OnDevice) else OnDevice(x), out)
    return return_and_correct_aliasing(func, args, kwargs, out) if there else out


def _held(value):
    return value.held if isinstance(value, OnDevice) else value


def _same_device(func: Callable, tensors: list[Tensor]) -> None:
    """Numbers and, where something is indexed, indices of the CPU go with the device's tensors."""
    for tensor in tensors[:1] if func in _INDEXING else tensors:
        if not isinstance(tensor, OnDevice) and tensor.dim() > 0:
            raise RuntimeError(f'{func}: a tensor {tuple(tensor.shape)} of the CPU on the device')
