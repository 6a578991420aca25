"""Train or test the experiment that a config describes; what ``tools/`` call."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from mmengine.config import Config, ConfigDict

from rsmm.apis.config import load_config
from rsmm.apis.model import RANDOM
from rsmm.apis.zoo_files import with_zoo_files, zoo_checkpoint
from rsmm.checkpoints.run_files import newest_checkpoint
from rsmm.errors import ConfigError
from rsmm.registry import RUNNERS, unexpected_keys_explained


def train(
    config: str | PathLike | Config,
    work_dir: str | PathLike | None = None,
    resume: bool | str = False,
    amp: bool = False,
    auto_scale_lr: bool = False,
    options: Mapping[str, object] | None = None,
    launcher: str = 'none',
):
    """Train an experiment.

    Args:
        config: Config file or zoo name, or a loaded config.
        work_dir: Folder for logs and checkpoints; default ``work_dirs/<config name>``.
        resume: True resumes from the newest checkpoint of the work folder, a path from that file.
        amp: Mixed precision: float16 on a GPU, bfloat16 on a CPU that has it.
        auto_scale_lr: Scale the learning rate by actual over base batch size.
        options: Dotted config keys to override.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Returns:
        The runner after training.

    Raises:
        ConfigError: The config does not fit, or the work folder holds another run.
    """
    config = _prepare(config, work_dir, options, launcher)
    _require_phase(config, 'train')
    if amp:
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if resume:
        config.resume = True
        newest = newest_checkpoint(config.work_dir) if resume is True else resume
        config.load_from = None if newest is None else str(newest)
    if auto_scale_lr:
        if not config.get('auto_scale_lr'):
            raise ConfigError(
                'it states no base batch size',
                where=config.filename,
                fix='Add auto_scale_lr = dict(base_batch_size=N)',
            )
        config.auto_scale_lr.enable = True
    _check_writable(config.work_dir)
    _refuse_used_folder(config.work_dir, config.get('resume'), config.get('load_from'))
    config.model = with_zoo_files(config.model)
    runner = build_runner(config)
    with unexpected_keys_explained():  # loops and schedules are built late
        runner.train()
    return runner


def test(
    config: str | PathLike | Config,
    checkpoint: str | PathLike,
    work_dir: str | PathLike | None = None,
    out: str | PathLike | None = None,
    show_dir: str | None = None,
    tta: bool = False,
    amp: bool = False,
    options: Mapping[str, object] | None = None,
    launcher: str = 'none',
) -> dict[str, float]:
    """Test a checkpoint and return its metrics.

    Args:
        config: Config file or zoo name, or a loaded config.
        checkpoint: File or URL; ``'zoo'`` takes the weights that the zoo has for the config,
            ``'random'`` keeps those of initialisation.
        work_dir: Folder for the log; default ``work_dirs/<config name>``.
        out: File for the predictions, ``.json`` or ``.pkl``.
        show_dir: Folder for a picture of each prediction.
        tta: Average predictions over the transforms of the config's ``tta_pipeline``.
        amp: Test in half precision where the device has it.
        options: Dotted config keys to override.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Returns:
        Metric name to value.
    """
    named = (config.filename or '') if isinstance(config, Config) else config
    checkpoint = zoo_checkpoint(named, checkpoint)
    config = _prepare(config, work_dir, options, launcher)
    _require_phase(config, 'test')
    config.load_from = None if checkpoint == RANDOM else str(checkpoint)
    config.resume = False
    if checkpoint == RANDOM:
        config.model = with_zoo_files(config.model)
    if amp:
        config.test_cfg.fp16 = True
    if show_dir is not None:
        config.default_hooks.visualization = dict(type='VisualizationHook', out_dir=str(show_dir))
    if tta:
        config = _with_tta(config)
    if out is not None:
        evaluators = config.test_evaluator
        evaluators = list(evaluators) if isinstance(evaluators, list | tuple) else [evaluators]
        config.test_evaluator = [*evaluators, dict(type='DumpPredictions', out=str(out))]
    runner = build_runner(config)
    with unexpected_keys_explained():
        return runner.test()


def build_runner(config: Config):
    """Build the runner of a config; a setting that does not exist names the closest one.

    A config without ``runner_type`` gets rsmm's, whatever scope an earlier run left.
    """
    if config.get('runner_type') is not None:
        return RUNNERS.build(config)
    from rsmm.engine.runner import Runner

    with unexpected_keys_explained():
        return Runner.from_cfg(config)


def _prepare(
    config: str | PathLike | Config,
    work_dir: str | PathLike | None,
    options: Mapping[str, object] | None,
    launcher: str,
) -> Config:
    if isinstance(config, Config):
        config = copy.deepcopy(config)
        config.merge_from_dict(dict(options or {}))
    else:
        config = load_config(config, options)
    config.launcher = launcher
    if work_dir is not None:
        config.work_dir = str(work_dir)
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / Path(config.filename).stem)
    return config


def _require_phase(config: Config, phase: str) -> None:
    if config.get(f'{phase}_cfg') is None:
        raise ConfigError(
            f'it has no {phase}_cfg and {phase}s nothing',
            where=config.filename,
            fix='Probes that only test go to tools/test.py, pretraining to tools/train.py',
        )


def _check_writable(folder: str) -> None:
    """Say before the data is read that nothing could be saved."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f'cannot be written ({error.strerror})', where=folder, fix='Choose another --work-dir'
        ) from error


def _refuse_used_folder(work_dir: str, resume: bool, checkpoint: str | None) -> None:
    """A finished or broken run must not be written over by mistake.

    Going on is allowed from the folder's own checkpoints only.
    """
    folder = Path(work_dir)
    used = sorted(folder.glob('*.pth'))
    if not used:
        return
    if resume and checkpoint is None:
        raise ConfigError(
            f'nothing there says where to go on, and it holds {used[-1].name}',
            where=work_dir,
            fix='Name the checkpoint: --resume FILE',
        )
    if not resume or Path(checkpoint).resolve().parent != folder.resolve():
        raise ConfigError(
            f'the folder holds checkpoints of another run ({used[-1].name})',
            where=work_dir,
            fix='Go on with --resume, or give this run its own --work-dir',
        )


def _with_tta(config: Config) -> Config:
    tta_model = config.get('tta_model')
    if tta_model is None and ('decode_head' in config.model or 'members' in config.model):
        tta_model = dict(type='SymmetryTTA')
    own_views = tta_model is not None and str(tta_model['type']).endswith('SymmetryTTA')
    if tta_model is None or not (own_views or 'tta_pipeline' in config):
        raise ConfigError(
            'it has no tta_model and tta_pipeline',
            where=config.filename,
            fix='Inherit them, e.g. from configs/_base_/tta/classification.py',
        )
    config.model = ConfigDict(**tta_model, module=config.model)
    if not own_views:
        config.test_dataloader.dataset.pipeline = config.tta_pipeline
    return config
