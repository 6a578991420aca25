"""The first screen of a run: what is trained or tested, on what, and where it goes."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner

from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import HOOKS
from rsmm.utils.seams import all_loops, first_weights


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Say config, data, model, device, schedule and output in six lines before the run."""

    priority = 'VERY_LOW'

    def before_run(self, runner: Runner) -> None:
        """Write the lines to the log."""
        lines = summary(runner)
        width = max(map(len, lines))
        text = '\n'.join(f'  {name:{width}}  {value}' for name, value in lines.items() if value)
        runner.logger.info(f'{runner.experiment_name}\n{text}')


def summary(runner: Runner) -> dict[str, str]:
    """Return what is worth knowing of a run whose loops are built, by name."""
    loops = dict(zip(('train', 'val', 'test'), all_loops(runner), strict=True))
    loops = {name: loop for name, loop in loops.items() if isinstance(loop, BaseLoop)}
    return {
        'config': str(runner.cfg.filename or ''),
        'data': ', '.join(_data(name, loop) for name, loop in loops.items()),
        'model': _model(runner),
        'device': _device(runner),
        'schedule': _schedule(runner) if 'train' in loops else '',
        'checkpoint': str(first_weights(runner) or ''),
        'output': str(Path(runner.work_dir)),
    }


def _data(phase: str, loop: BaseLoop) -> str:
    dataset = loop.dataloader.dataset
    inner = getattr(dataset, 'dataset', dataset)
    root = getattr(inner, 'data_root', None)
    place = f', {root}' if root else ''
    return f'{phase} {len(dataset):,} ({type(inner).__name__}{place})'


def _model(runner: Runner) -> str:
    model = bare_model(runner)
    parameters = list(model.parameters())
    count = sum(p.numel() for p in parameters)
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    part = '' if trained == count else f', {trained:,} of them trained'
    return f'{type(model).__name__}, {count:,} parameters{part}'


def _device(runner: Runner) -> str:
    device = get_device()
    if device.startswith('cuda'):
        device = f'{device} ({torch.cuda.get_device_name()})'
    else:
        device = f'{device}, {torch.get_num_threads()} threads'
    return f'{device}, {runner.world_size} processes' if runner.world_size > 1 else device


def _schedule(runner: Runner) -> str:
    loop = runner.train_loop
    batch = getattr(loop.dataloader, 'batch_size', None)
    images = f'batches of {batch}' if batch else 'batches'
    if runner.world_size > 1:
        images += f' x {runner.world_size}'
    if isinstance(loop, IterBasedTrainLoop):
        return f'{runner.max_iters:,} iterations, {images}'
    return f'{runner.max_epochs} epochs of {len(loop.dataloader):,} iterations, {images}'
