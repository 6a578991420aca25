import pytest
import torch
import torch.distributed as dist
from torch import nn

from rsmm.models.layers.sync_batchnorm import CPUSyncBatchNorm, convert_cpu_sync_batchnorm
from tests.processes import run_processes


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 1, 1))


def batch() -> torch.Tensor:
    return torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(1)) * 3 + 1


def step(model: nn.Module, inputs: torch.Tensor) -> dict:
    """Forward and backward; gradients as data-parallel training would average them."""
    output = model(inputs)
    output.square().mean().backward()
    for parameter in model.parameters():
        if dist.is_initialized():
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    grads = {name: value.grad for name, value in model.named_parameters()}
    return dict(output=output.detach(), state=state, grads=grads)


def half_step() -> dict:
    rank = dist.get_rank()
    return step(convert_cpu_sync_batchnorm(network()), batch()[rank * 4 : rank * 4 + 4])


@pytest.mark.distributed
def test_two_processes_equal_one(tmp_path):
    expected = step(network(), batch())
    halves = run_processes(half_step, 2, tmp_path)
    outputs = torch.cat([half['output'] for half in halves])
    torch.testing.assert_close(outputs, expected['output'], rtol=1e-5, atol=1e-5)
    for part in ('state', 'grads'):
        for name, value in expected[part].items():
            for half in halves:
                torch.testing.assert_close(half[part][name], value, rtol=1e-4, atol=1e-5)


def test_conversion_keeps_parameters_buffers_and_mode():
    model = network()
    model[1].running_mean.fill_(2.0)
    keys, expected = model.state_dict().keys(), model.eval()(batch())
    converted = convert_cpu_sync_batchnorm(model)
    assert isinstance(converted[1], CPUSyncBatchNorm)
    assert not converted[1].training
    assert converted.state_dict().keys() == keys
    torch.testing.assert_close(converted(batch()), expected)


@pytest.mark.parametrize('shape', [(8, 3), (4, 3, 5, 5)])
def test_alone_it_is_plain_batch_normalisation(shape):
    inputs = torch.randn(shape)
    plain = nn.BatchNorm1d(3) if len(shape) == 2 else nn.BatchNorm2d(3)
    torch.testing.assert_close(CPUSyncBatchNorm(3)(inputs), plain(inputs))
