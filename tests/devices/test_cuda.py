"""Every family on a real GPU: same losses as the CPU, half precision, compiled, resumed.

``RSMM_TEST_DEVICE=cpu`` rehearses them: the CPU against itself, without compiling.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rsmm.apis import run
from tests.families import CONFIGS, FAMILIES, experiment, losses_of, write_toy

DEVICE = os.environ.get('RSMM_TEST_DEVICE', 'cuda')
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE == 'cuda' and not torch.cuda.is_available(), reason='needs a CUDA device'
    ),
]
only_cuda = pytest.mark.skipif(DEVICE == 'cpu', reason='has no counterpart on the CPU')
COMPILED = [name for name, family in FAMILIES.items() if family.compiles]


class SameDraws(TorchFunctionMode):
    """Random numbers come from the CPU's generator wherever they go: both devices draw the same."""

    DRAWS = (torch.rand, torch.randn, torch.randperm, torch.randint)
    LIKE = (torch.rand_like, torch.randn_like)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in self.DRAWS and kwargs.get('device') is not None:
            device = kwargs.pop('device')
            return func(*args, **kwargs).to(device)
        if func in self.LIKE:
            return func(args[0].cpu(), *args[1:], **kwargs).to(args[0].device)
        if func is nn.functional.dropout and kwargs.get('training', True):
            share = kwargs.get('p', args[1] if len(args) > 1 else 0.5)
            keep = (torch.rand(args[0].shape) >= share).to(args[0].device)
            return args[0] * keep / (1 - share)
        return func(*args, **kwargs)


@pytest.fixture(scope='module')
def toys(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('toys')


@pytest.fixture(autouse=True)
def readers(request) -> None:
    """Footprints are read by pyogrio, which a machine that is only lent may lack."""
    if 'footprints' in request.node.name:
        pytest.importorskip('pyogrio')


@pytest.fixture(autouse=True)
def exact_float32() -> Iterator[None]:
    """No TF32: the CPU has none."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('highest')
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


def step(model: nn.Module, data: dict) -> tuple[Tensor, dict[str, float]]:
    """Loss and the norm of each gradient."""
    torch.manual_seed(0)
    with SameDraws():
        loss, _ = losses_of(model, data)
    loss.backward()
    named = model.named_parameters()
    norms = {name: float(p.grad.norm()) for name, p in named if p.grad is not None}
    return loss.detach().cpu(), norms


@pytest.mark.parametrize('family', FAMILIES)
def test_float32_equals_the_cpu(family: str, toys: Path, record_property) -> None:
    _, loader, model = experiment(family, toys)
    data = next(iter(loader))
    there = copy.deepcopy(model).to(DEVICE)
    expected, norms = step(model, data)
    if DEVICE == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    found, found_norms = step(there, data)
    if DEVICE == 'cuda':
        record_property('peak_mib', round(torch.cuda.max_memory_allocated() / 2**20, 1))
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-4)
    assert norms.keys() == found_norms.keys()
    total = sum(value**2 for value in norms.values()) ** 0.5
    worst = max(abs(found_norms[name] - value) for name, value in norms.items())
    assert worst < 0.02 * total


@pytest.mark.parametrize('family', FAMILIES)
def test_bfloat16_takes_a_step(family: str, toys: Path) -> None:
    _, loader, model = experiment(family, toys)
    data = next(iter(loader))
    expected, _ = step(copy.deepcopy(model).to(DEVICE), data)
    with torch.autocast(DEVICE, torch.bfloat16):
        found, norms = step(model.to(DEVICE), data)
    assert all(value == value for value in norms.values())
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.05)


@pytest.mark.parametrize('family', COMPILED)
def test_compiled_equals_eager(family: str, toys: Path) -> None:
    _, loader, model = experiment(family, toys)
    data = next(iter(loader))
    expected, _ = step(copy.deepcopy(model).to(DEVICE), data)
    model.to(DEVICE)
    backend = 'inductor' if DEVICE == 'cuda' else 'eager'
    model.forward = torch.compile(model.forward, backend=backend)
    torch.manual_seed(0)
    loss, _ = losses_of(model, data)
    loss.backward()
    assert torch.isfinite(loss)
    if family == 'classification':  # the others draw on the device
        torch.testing.assert_close(loss.detach().cpu(), expected, rtol=1e-2, atol=1e-3)


def train(family: str, toys: Path, work_dir: Path, **options):
    known = FAMILIES[family]
    settings = {
        'data_root': str(write_toy(known, toys)),
        'batch_size': 8,
        'num_workers': 0,
        'default_hooks.checkpoint.interval': 1,
        'train_dataloader.dataset.indices': 16,
        'val_dataloader.dataset.indices': 8,
    }
    resume, amp = options.pop('resume', False), options.pop('amp', False)
    return run.train(
        CONFIGS / f'{known.config}.py',
        work_dir=str(work_dir),
        resume=resume,
        amp=amp,
        options={**settings, **options},
    )


def checkpoint(work_dir: Path, epoch: int) -> dict:
    return torch.load(work_dir / f'epoch_{epoch}.pth', map_location='cpu', weights_only=False)


@pytest.mark.parametrize('first', [DEVICE, 'cpu'])
def test_a_run_changes_its_device(first: str, toys: Path, tmp_path: Path, monkeypatch) -> None:
    """One epoch here, the next there; the second file holds finite weights and the next epoch."""
    from mmengine.device import utils

    for epochs, device in ((1, first), (2, 'cpu' if first == DEVICE else DEVICE)):
        monkeypatch.setattr(utils, 'DEVICE', device)
        train('classification', toys, tmp_path, epochs=epochs, resume=epochs == 2)
    saved = checkpoint(tmp_path, 2)
    assert saved['meta']['epoch'] == 2
    assert all(torch.isfinite(value.float()).all() for value in saved['state_dict'].values())


def test_the_scaler_is_saved_and_resumed(toys: Path, tmp_path: Path) -> None:
    """Two epochs in one go equal one epoch, a stop and one more, in half precision."""
    train('classification', toys, tmp_path / 'whole', epochs=2, amp=True)
    train('classification', toys, tmp_path / 'parts', epochs=2, amp=True)
    (tmp_path / 'parts/epoch_2.pth').unlink()
    (tmp_path / 'parts/last_checkpoint').write_text(str(tmp_path / 'parts/epoch_1.pth'))
    train('classification', toys, tmp_path / 'parts', epochs=2, amp=True, resume=True)
    whole, parts = (checkpoint(tmp_path / name, 2) for name in ('whole', 'parts'))
    assert whole['optimizer'].get('loss_scaler') == parts['optimizer'].get('loss_scaler')
    assert DEVICE == 'cpu' or 'loss_scaler' in parts['optimizer']
    torch.testing.assert_close(whole['state_dict'], parts['state_dict'], rtol=1e-3, atol=1e-4)


@only_cuda
def test_nccl_with_one_process(toys: Path, tmp_path: Path, monkeypatch) -> None:
    for name, value in dict(
        RANK='0', WORLD_SIZE='1', LOCAL_RANK='0', MASTER_ADDR='127.0.0.1', MASTER_PORT='29533'
    ).items():
        monkeypatch.setitem(os.environ, name, value)
    from rsmm.engine.distributed import init_distributed

    init_distributed('pytorch')
    try:
        assert torch.distributed.get_backend() == 'nccl'
        values = torch.ones(4, device='cuda')
        torch.distributed.all_reduce(values)
        assert values.tolist() == [1, 1, 1, 1]
    finally:
        torch.distributed.destroy_process_group()
