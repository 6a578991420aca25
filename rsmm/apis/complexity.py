"""How large a model is and how much it computes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import torch
from torch import nn

from rsmm.apis.model import build_model
from rsmm.errors import ConfigError


@dataclass(frozen=True)
class Complexity:
    """Size and cost of a model for one image.

    Attributes:
        shape: Input (C, H, W).
        params: Number of parameters.
        trainable: Parameters that training changes.
        flops: Multiply-adds of one forward pass.
        activations: Elements of all convolution and matrix outputs.
        parts: Name of a part to its (params, flops).
        unsupported: Operations left out of the count and how often they ran.
    """

    shape: tuple[int, int, int]
    params: int
    trainable: int
    flops: int
    activations: int
    parts: dict[str, tuple[int, int]]
    unsupported: dict[str, int]

    def table(self) -> str:
        """Lay out all numbers for reading."""
        lines = [f'input          {" x ".join(map(str, self.shape))}']
        lines += [f'parameters     {self.params:,} ({self.trainable:,} trainable)']
        lines += [f'multiply-adds  {self.flops:,} ({_short(self.flops)}) for one image']
        lines += [f'activations    {self.activations:,}', '']
        width = max([len(name) for name in self.parts] + [4])
        lines += [f'{"part":{width}}  {"parameters":>14}  {"multiply-adds":>16}']
        lines += [f'{n:{width}}  {p:>14,}  {f:>16,}' for n, (p, f) in self.parts.items()]
        if self.unsupported:
            names = ', '.join(f'{name} x{times}' for name, times in self.unsupported.items())
            lines += ['', f'not counted: {names}']
        return '\n'.join(lines)


def model_complexity(model: nn.Module, shape: Sequence[int]) -> Complexity:
    """Count parameters and multiply-adds of a forward pass on one image of zeros.

    Element-wise operations, pooling and normalisation other than BatchNorm count nothing, as is
    usual.

    Args:
        model: Any module that takes a tensor (1, C, H, W).
        shape: (C, H, W).

    Raises:
        ConfigError: The model cannot run on such an input.
    """
    from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer

    bands, height, width = (int(size) for size in shape)
    shape = (bands, height, width)
    device = next(model.parameters()).device
    inputs = torch.zeros(1, *shape, device=device)
    training = model.training
    model.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')  # tracing warns about every Python branch
            flops, activations = FlopAnalyzer(model, inputs), ActivationAnalyzer(model, inputs)
            for analyzer in (flops, activations):
                analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            total, by_module = int(flops.total()), flops.by_module()
            outputs = int(activations.total())
            missed = dict(flops.unsupported_ops())
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ConfigError(
            f'{type(model).__name__} cannot run on an input of {shape}: {error}',
            fix='Give its input with --shape BANDS HEIGHT WIDTH, or a part with --part backbone',
        ) from error
    finally:
        model.train(training)
    parts = {
        name: (sum(p.numel() for p in part.parameters()), int(by_module.get(name, 0)))
        for name, part in model.named_children()
    }
    parameters = list(model.parameters())
    return Complexity(
        shape,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        total,
        outputs,
        {name: values for name, values in parts.items() if any(values)},
        missed,
    )


def config_complexity(
    config: str | PathLike,
    shape: Sequence[int] | None = None,
    part: str | None = None,
    options: Mapping[str, object] | None = None,
) -> Complexity:
    """Count for the model of a config.

    Args:
        config: Config file.
        shape: (C, H, W), or (H, W) for as many bands as the model takes; default 64 x 64.
        part: Dotted name of a part to count alone, e.g. ``'backbone'``.
        options: Dotted config keys to override.

    Raises:
        ConfigError: There is no such part, or the model cannot run on such an input.
    """
    model = build_model(config, options=options)
    if part is not None:
        try:
            model = model.get_submodule(part)
        except AttributeError:
            names = ', '.join(name for name, _ in model.named_children())
            raise ConfigError(f'no part called {part!r}', fix=f'The model has {names}') from None
    shape = tuple(shape or (64, 64))
    return model_complexity(model, shape if len(shape) == 3 else (input_bands(model), *shape))


def input_bands(model: nn.Module) -> int:
    """Return how many bands the first convolution of a model takes.

    Raises:
        ConfigError: The model has no convolution.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise ConfigError(
        f'{type(model).__name__} has no convolution that tells its number of bands',
        fix='Give all three numbers: --shape BANDS HEIGHT WIDTH',
    )


def _short(count: int) -> str:
    for unit, size in (('T', 10**12), ('G', 10**9), ('M', 10**6), ('k', 10**3)):
        if count >= size:
            return f'{count / size:.2f} {unit}'
    return str(count)
