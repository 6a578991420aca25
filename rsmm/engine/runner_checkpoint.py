"""What a runner saves and how it goes on from that.

mmengine pickles its log history as objects; here a checkpoint holds nothing but tensors, numbers,
strings and containers, so it loads weights-only anywhere, without an allow-list.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.logging import HistoryBuffer
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import weights_to_cpu
from mmengine.utils import apply_to

from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
from rsmm.checkpoints.weights import load_weights, state_dict_of
from rsmm.engine.input_facts import input_facts
from rsmm.errors import CheckpointError
from rsmm.utils import seams
from rsmm.version import __version__

_KIND = '__rsmm_kind__'
_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)


def plain_state(state: Any) -> Any:
    """Replace numpy arrays, log histories and other small classes by tensors and containers.

    Args:
        state: A checkpoint dict or any part of one.

    Returns:
        The same content in what weights-only loading accepts; :func:`restore_state` inverts it.
        Numpy scalars become Python numbers and stay so.

    Raises:
        CheckpointError: Something cannot be stored that way; names its key and type.
    """
    return _plain(state, '')


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, torch.Tensor) or type(value) in _PLAIN or type(value) is torch.Size:
        return value
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return {
            _KIND: 'history',
            'log': _plain(log, where),
            'count': _plain(count, where),
            'max_length': value.max_length,
        }
    if isinstance(value, np.ndarray):
        return _plain_array(value, where)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        plain: Any = OrderedDict() if isinstance(value, OrderedDict) else {}
        for key, item in value.items():
            plain[_plain(key, f'{where}.{key}')] = _plain(item, f'{where}.{key}')
        seams.set_versions(plain, seams.versions(value))
        return plain
    if isinstance(value, list | deque):
        return [_plain(item, f'{where}[{index}]') for index, item in enumerate(value)]
    if isinstance(value, tuple):
        return tuple(_plain(item, f'{where}[{index}]') for index, item in enumerate(value))
    if isinstance(value, set | frozenset):
        return {_plain(item, where) for item in value}
    if isinstance(value, Enum):
        return _plain(value.value, where)
    for kind in (int, float, str):  # subclasses, such as numbers with a unit
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, PurePath):
        return str(value)
    raise CheckpointError(
        f'{where.lstrip(".")} is a {type(value).__name__}, which a weights-only file cannot hold',
        where='checkpoint',
        fix='Store it as a tensor, number, string or container of these',
    )


def _plain_array(array: np.ndarray, where: str) -> dict:
    try:
        data = torch.from_numpy(np.array(array, order='C'))
    except TypeError:  # strings, objects and other kinds that torch has no dtype for
        data = _plain(array.tolist(), where)
    return {_KIND: 'array', 'data': data, 'dtype': array.dtype.str}


def restore_state(state: Any) -> Any:
    """Undo :func:`plain_state`; anything it did not make passes unchanged."""
    if isinstance(state, dict):
        kind = state.get(_KIND)
        if kind == 'history':
            return _restore_history(state)
        if kind == 'array':
            data = state['data']
            data = data.cpu().numpy() if isinstance(data, torch.Tensor) else data
            return np.asarray(data, dtype=np.dtype(state['dtype']))
        restored: Any = type(state)((key, restore_state(value)) for key, value in state.items())
        seams.set_versions(restored, seams.versions(state))
        return restored
    if type(state) in (list, tuple):
        return type(state)(restore_state(item) for item in state)
    return state


def _restore_history(state: dict) -> HistoryBuffer:
    history = HistoryBuffer(max_length=state['max_length'])
    seams.fill_history(history, restore_state(state['log']), restore_state(state['count']))
    return history


def save_runner_checkpoint(
    runner: Runner,
    out_dir: str,
    filename: str,
    file_client_args: dict | None = None,
    save_optimizer: bool = True,
    save_param_scheduler: bool = True,
    meta: dict | None = None,
    by_epoch: bool = True,
    backend_args: dict | None = None,
) -> None:
    """Save the state of a run, with the arguments of mmengine's ``Runner.save_checkpoint``.

    Besides weights, optimizer, schedules and log history the file names the versions, the config
    text, the dataset's meta information, the seed, epoch and step, within an epoch too, whether a
    validation is due, and the state of the training sampler if it has one. The first process
    writes.

    Args:
        runner: The run.
        out_dir: Folder.
        filename: Name in that folder.
        file_client_args: Refused; checkpoints go to a disk.
        save_optimizer: Store the optimizer's state.
        save_param_scheduler: Store the schedules' state.
        meta: ``epoch`` and ``iter`` if they are known; other keys are kept.
        by_epoch: Whether an epoch (else a step) is just ending.
        backend_args: Refused, as ``file_client_args``.

    Raises:
        CheckpointError: The file cannot be written; the previous one is left as it was.
    """
    if file_client_args or backend_args:
        raise CheckpointError('checkpoints are written to a disk only', where=str(out_dir))
    meta = dict(meta or {})
    meta.setdefault('epoch', runner.epoch + by_epoch)
    meta.setdefault('iter', runner.iter + (not by_epoch))
    if hasattr(runner.train_loop, 'position'):
        meta |= runner.train_loop.position(meta['epoch'], meta['iter'])
    _write(runner, Path(out_dir) / filename, meta, save_optimizer, save_param_scheduler)
    if save_optimizer:  # a run can go on from it
        runner.saved_at = meta['epoch'], meta['iter']


@master_only
def _write(
    runner: Runner, path: Path, meta: dict, save_optimizer: bool, save_param_scheduler: bool
) -> None:
    meta |= _run_facts(runner)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    checkpoint = {
        'meta': meta,
        'state_dict': weights_to_cpu(model.state_dict()),
        'message_hub': _to_cpu(runner.message_hub.state_dict()),
    }
    sampler = getattr(runner.train_dataloader, 'sampler', None)
    if hasattr(sampler, 'state_dict'):
        checkpoint['sampler'] = sampler.state_dict()
    if save_optimizer:
        checkpoint['optimizer'] = _to_cpu(runner.optim_wrapper.state_dict())
    if save_param_scheduler and runner.param_schedulers is not None:
        checkpoint['param_schedulers'] = _scheduler_states(runner.param_schedulers)
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    save_checkpoint_file(plain_state(checkpoint), path)


def _run_facts(runner: Runner) -> dict:
    facts = {
        'cfg': runner.config_text,
        'seed': runner.seed,
        'experiment_name': runner.experiment_name,
        'time': time.strftime('%Y%m%d_%H%M%S'),
        'rsmm_version': __version__,
        'mmengine_version': mmengine.__version__,
    }
    dataset_meta = getattr(runner.train_dataloader.dataset, 'metainfo', None)
    if dataset_meta is not None:
        facts['dataset_meta'] = dataset_meta
    if not hasattr(runner, '_input_facts'):
        runner._input_facts = input_facts(runner.train_dataloader.dataset)
    if runner._input_facts:
        facts['input'] = runner._input_facts
    return facts


def _to_cpu(state: dict) -> dict:
    return apply_to(state, lambda item: hasattr(item, 'cpu'), lambda item: item.cpu())


def _scheduler_states(schedulers: list | dict) -> list | dict:
    if isinstance(schedulers, dict):
        return {name: _scheduler_states(group) for name, group in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers]


def load_runner_checkpoint(
    runner: Runner,
    filename: str,
    map_location='cpu',
    strict: bool = False,
    revise_keys: list | None = None,
) -> dict:
    """Load a checkpoint into a runner's model, with the arguments of mmengine's method.

    For testing, every weight of the model must be in the file. As the start of a training, a whole
    part may be absent and a head may have another size, see
    :func:`rsmm.checkpoints.weights.load_weights`.

    Returns:
        The checkpoint, with log histories restored.

    Raises:
        CheckpointError: The file cannot be read or belongs to another model.
    """
    training = isinstance(seams.train_loop(runner), BaseLoop)
    mode = 'exact' if strict else 'parts' if training else 'model'
    return _load(runner, filename, map_location, mode, revise_keys)


def _load(runner: Runner, filename: str, map_location, strict: str, rename=None) -> dict:
    checkpoint = restore_state(load_checkpoint_file(filename, map_location))
    state = state_dict_of(checkpoint, filename)
    # mmengine's hooks, the one of averaged weights for instance, look for this key.
    checkpoint = {**({} if state is checkpoint else checkpoint), 'state_dict': state}
    runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
    report = load_weights(runner.model, checkpoint, strict, rename=rename or (), where=filename)
    runner.logger.info(f'{filename}: {report.summary()}')
    seams.note_loaded(runner)
    return checkpoint


def resume_runner(
    runner: Runner,
    filename: str,
    resume_optimizer: bool = True,
    resume_param_scheduler: bool = True,
    map_location='default',
) -> None:
    """Set a runner to where a checkpoint was written.

    Args:
        runner: A runner whose training loop is built.
        filename: Checkpoint of a training, not of weights only.
        resume_optimizer: Restore the optimizer.
        resume_param_scheduler: Restore the schedules.
        map_location: As in :func:`torch.load`; ``'default'`` is the device of the run.

    Raises:
        CheckpointError: The file cannot be read, holds no training state, or belongs to another
            model.
    """
    beside = Path(runner.work_dir) / Path(filename).name
    if '://' not in str(filename) and not Path(filename).is_file() and beside.is_file():
        filename = str(beside)  # the work folder was moved after the pointer was written
    location = get_device() if map_location == 'default' else map_location
    checkpoint = _load(runner, filename, location, 'exact')
    wanted = ['meta', 'message_hub', *(['optimizer'] if resume_optimizer else [])]
    absent = [key for key in wanted if key not in checkpoint]
    if absent:
        raise CheckpointError(
            f'cannot be resumed from: it holds no {", ".join(absent)}',
            where=filename,
            fix='Resume from an epoch_*.pth or iter_*.pth file, or start a new run from these '
            'weights with load_from',
        )
    meta = checkpoint['meta']
    if hasattr(runner.train_loop, 'go_to'):
        runner.train_loop.go_to(meta)
    else:  # a loop of one's own
        runner.train_loop._epoch, runner.train_loop._iter = meta['epoch'], meta['iter']
    _resume_seed(runner, meta.get('seed'))
    _warn_of_changes(runner, meta.get('cfg'))
    runner.message_hub.load_state_dict(checkpoint['message_hub'])
    if resume_optimizer:
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.optim_wrapper.load_state_dict(checkpoint['optimizer'])
    if resume_param_scheduler and runner.param_schedulers and 'param_schedulers' in checkpoint:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        _load_schedulers(runner.param_schedulers, checkpoint['param_schedulers'])
    sampler = getattr(runner.train_dataloader, 'sampler', None)
    if 'sampler' in checkpoint and hasattr(sampler, 'load_state_dict'):
        sampler.load_state_dict(checkpoint['sampler'])
    runner.logger.info(f'Resumed at epoch {runner.epoch}, step {runner.iter} from {filename}')


def _resume_seed(runner: Runner, seed: int | None) -> None:
    """Go on with the seed of the resumed run."""
    current = seams.randomness(runner).get('seed')
    if seed is None or seed == current:
        return
    if current is not None:
        runner.logger.warning(f'The resumed run has seed {seed}; the seed {current} is not used')
    seams.randomness(runner).update(seed=seed)
    runner.set_randomness(**seams.randomness(runner))


def _warn_of_changes(runner: Runner, text: str | None) -> None:
    """Say which settings differ from the resumed run's and what that means."""
    try:
        before = Config.fromstring(text or '', '.py')
    except Exception:  # written by another tool or version: nothing to compare with
        return
    changed = [key for key in ('optim_wrapper', 'param_scheduler') if key in before]
    changed = [key for key in changed if before[key] != runner.cfg.get(key)]
    if changed:
        runner.logger.warning(
            f'{" and ".join(changed)} differ from the resumed run: learning rates and schedules '
            'go on as they were saved. To apply the change, start a new run with load_from'
        )
    length = before.get('train_cfg', {})
    if 'train_cfg' in before and length != runner.cfg.get('train_cfg'):
        runner.logger.warning(
            f'train_cfg was {dict(length)}; the saved schedule still ends where that run would have'
        )


def _load_schedulers(schedulers: list | dict, states: list | dict) -> None:
    if isinstance(schedulers, dict):
        for name, group in schedulers.items():
            _load_schedulers(group, states[name])
        return
    if len(schedulers) != len(states):
        raise CheckpointError(
            f'holds {len(states)} schedules, the config has {len(schedulers)}',
            fix='Resume with the config the run was started with',
        )
    for scheduler, state in zip(schedulers, states, strict=True):
        scheduler.load_state_dict(state)
