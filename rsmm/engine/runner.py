"""The runner: mmengine's, on any device, with safe and exact checkpoints."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Iterator

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import BaseLoop
from mmengine.runner import Runner as MMEngineRunner
from torch import nn
from torch.utils.data import DataLoader

from rsmm.datasets.base import check_same_classes
from rsmm.engine.backends import checked_backends
from rsmm.engine.compiling import MINUTES, require_compiler
from rsmm.engine.console import quiet_console
from rsmm.engine.distributed import init_distributed
from rsmm.engine.pause import lasting_workers, pause_on_signals
from rsmm.engine.runner_checkpoint import (
    load_runner_checkpoint,
    resume_runner,
    save_runner_checkpoint,
)
from rsmm.errors import ConfigError
from rsmm.models.channels import check_bands, fill_channels
from rsmm.registry import FUNCTIONS, RUNNERS
from rsmm.utils import seams
from rsmm.utils.leftovers import remove_leftovers
from rsmm.utils.lock import hold_folder


@RUNNERS.register_module()
class Runner(MMEngineRunner):
    """Runs an experiment described by a config.

    Differences from :class:`mmengine.runner.Runner`:

    - distributed runs work on the CPU (gloo), with batch statistics over all processes;
    - every dataset draws its randomness from seed, epoch and sample
      (:class:`rsmm.datasets.seeded.SeededDataset`), every training step from seed and step;
    - checkpoints are written atomically, load as weights only and resume exactly;
    - SIGTERM and SIGUSR1 save and stop a training, which goes on in the middle of an epoch;
    - a work folder serves one training run at a time.

    Attributes:
        saved_at: Epoch and step of the newest checkpoint that the run can go on from.
    """

    saved_at: tuple[int, int] | None = None

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a runner; a phase without its ``*_cfg`` is left out.

        Dataset bases bring loaders for all phases. A pretraining config that sets no ``val_cfg``,
        or a probe that only tests, need not unset them one by one.
        """
        cfg = copy.deepcopy(cfg)
        for phase in ('train', 'val', 'test'):
            if cfg.get(f'{phase}_cfg') is None:
                for part in ('dataloader', 'evaluator'):
                    cfg.pop(f'{phase}_{part}', None)
        return super().from_cfg(cfg)

    @functools.cached_property
    def config_text(self) -> str:
        """The config as Python source; formatting it takes mmengine longer than a small epoch."""
        return self.cfg.pretty_text

    def setup_env(self, env_cfg: dict) -> None:
        """Join the process group on the backend of this machine, then set up as mmengine does."""
        options = dict(env_cfg.get('dist_cfg') or {})
        if self.distributed:
            # A config written for GPUs names nccl; the machine decides.
            backend = options.get('backend') if torch.cuda.is_available() else None
            init_distributed(self.launcher, timeout=options.get('timeout', 1800), backend=backend)
        super().setup_env(env_cfg)

    def build_logger(self, *args, **kwargs):
        """Build the logger; what mmengine says at every start goes to the file alone."""
        logger = super().build_logger(*args, **kwargs)
        quiet_console(logger)
        return logger

    def build_visualizer(self, visualizer=None):
        """Build the visualizer; a backend whose package is absent is named before the run starts.

        Raises:
            ConfigError: Backends in a form that is none.
            MissingDependencyError: With the package to install.
        """
        if isinstance(visualizer, dict) and visualizer.get('vis_backends') is not None:
            backends = checked_backends(visualizer['vis_backends'])
            visualizer = {**visualizer, 'vis_backends': backends}
        return super().build_visualizer(visualizer)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model, bands and channels filled in where its config says ``'auto'``."""
        if isinstance(model, dict):
            model = fill_channels(model, self.cfg.filename)
        built = super().build_model(model)
        check_bands(built, self.cfg.filename)
        return built

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for distributed training; on the CPU without device ids.

        Raises:
            ConfigError: A wrapper that shards the model, on the CPU.
        """
        if not self.distributed or torch.cuda.is_available():
            return super().wrap_model(model_wrapper_cfg, model)
        wrapper = (model_wrapper_cfg or {}).get('type', 'MMDistributedDataParallel')
        if 'DistributedDataParallel' not in str(wrapper):
            raise ConfigError(
                f'{wrapper} shards a model over GPUs, and there is none',
                where='model_wrapper_cfg',
                fix='Leave it out on the CPU',
            )
        if self.cfg.get('sync_bn') is not None:
            from rsmm.models.layers.sync_batchnorm import convert_cpu_sync_batchnorm

            model = convert_cpu_sync_batchnorm(model)
        options = {
            'broadcast_buffers': False,
            'find_unused_parameters': self.cfg.get('find_unused_parameters', False),
            **{key: value for key, value in (model_wrapper_cfg or {}).items() if key != 'type'},
        }
        return MMDistributedDataParallel(module=model, **options)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a loader whose dataset seeds itself per sample.

        Raises:
            ConfigError: There are fewer samples than a batch holds, and the rest is dropped; the
                batch does not fit the rows that its sampler deals out.
        """
        if isinstance(dataloader, DataLoader):
            return dataloader
        config = copy.deepcopy(dataloader)
        if isinstance(config['dataset'], dict):
            config['dataset'] = dict(type='rsmm.SeededDataset', dataset=config['dataset'])
        collate = config.get('collate_fn')
        if isinstance(collate, dict):
            # mmengine notes the package that a base comes from, and hands the note to the function.
            collate.pop('_scope_', None)
        if isinstance(collate, dict) and isinstance(collate.get('type'), str):
            # mmengine asks its own registry, which does not know entries of rsmm or of its users.
            collate['type'] = FUNCTIONS.get(collate['type'])
        if config.get('num_workers', 0) == 0:
            # torch refuses these two without workers; a debugging override should not need them.
            config.pop('persistent_workers', None)
            config.pop('prefetch_factor', None)
        loader = MMEngineRunner.build_dataloader(config, seed, diff_rank_seed)
        loader.worker_init_fn = lasting_workers(loader.worker_init_fn)
        if hasattr(loader.sampler, 'check_batch'):
            loader.sampler.check_batch(loader.batch_size)
        if loader.drop_last and hasattr(loader.sampler, 'whole_batches'):
            loader.sampler.whole_batches(loader.batch_size, len(loader.dataset))
        if loader.drop_last and len(loader.sampler) < loader.batch_size:
            # mmengine fails much later, in a scheduler, without naming the reason.
            raise ConfigError(
                f'{len(loader.sampler)} samples per process give no batch of {loader.batch_size}',
                where='dataloader',
                fix='Use a smaller batch_size (--cfg-options batch_size=N) or more samples',
            )
        return loader

    def _maybe_compile(self, target: str) -> None:
        """Compile a step of the model where the config asks for it and the machine can.

        Raises:
            MissingDependencyError: There is no compiler.
        """
        settings = self.cfg.get('compile')
        if settings:
            backend = settings.get('backend', 'inductor') if isinstance(settings, dict) else None
            require_compiler(backend or 'inductor')
            self.logger.info(f'compile: the first steps take longer, up to {MINUTES} minutes each')
        super()._maybe_compile(target)

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register mmengine's default hooks and what every run of rsmm has beside them."""
        own = {
            'pause': dict(type='rsmm.PauseHook'),
            'random_state': dict(type='rsmm.RandomStateHook'),
            'reduce_loss': dict(type='rsmm.ReduceLossHook'),
            'run_summary': dict(type='rsmm.RunSummaryHook'),
        }
        super().register_default_hooks(own | (hooks or {}))

    def get_hooks_info(self) -> str:
        """Name the hooks once, in their order; mmengine lists them for each of twenty moments."""
        return ', '.join(type(hook).__name__ for hook in self.hooks)

    def dump_config(self) -> None:
        """Do nothing: :meth:`train` writes the config once the folder is held.

        Every run, tests included, also has its config in the folder of its log.
        """

    def train(self) -> nn.Module:
        """Train, holding the work folder so that no second run writes into it."""
        with (
            hold_folder(self.work_dir, enabled=is_main_process()),
            pause_on_signals(),
            self._loaders_closed(),
        ):
            if is_main_process():
                remove_leftovers(self.work_dir, held=True)
            super().dump_config()
            return super().train()

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; ``by_epoch`` chooses rsmm's, which go on in the middle of an epoch."""
        if isinstance(loop, dict) and 'by_epoch' in loop and 'type' not in loop:
            loop = dict(loop)
            kind = 'Epoch' if loop.pop('by_epoch') else 'Iter'
            loop['type'] = f'rsmm.{kind}BasedTrainLoop'
        return super().build_train_loop(loop)

    def build_val_loop(self, loop):
        """Build the loop; its dataset must have the classes of the one that is trained on."""
        loop = super().build_val_loop(loop)
        loaders = [getattr(one, 'dataloader', None) for one in (seams.train_loop(self), loop)]
        if all(hasattr(loader, 'dataset') for loader in loaders):
            check_same_classes(*(loader.dataset for loader in loaders))
        return loop

    def val(self) -> dict:
        """Validate."""
        self._initialise_unloaded()
        with self._loaders_closed():
            return super().val()

    def test(self) -> dict:
        """Test."""
        self._initialise_unloaded()
        with self._loaders_closed():
            return super().test()

    def _initialise_unloaded(self) -> None:
        """Initialise a model that no checkpoint fills, as training does.

        Layers that leave this to ``init_weights`` (the level embedding of Deformable DETR) hold
        whatever was in memory until then. A trained model is left alone: some of mmdet's would
        begin anew.
        """
        trained = isinstance(seams.train_loop(self), BaseLoop)  # until then its config
        if not (seams.first_weights(self) or seams.has_loaded(self) or trained):
            seams.initialise_weights(self)

    @contextlib.contextmanager
    def _loaders_closed(self) -> Iterator[None]:
        """Stop persistent loader workers at the end of the block.

        Left to the garbage collector, which takes the queue before the iterator that would say
        good-bye through it, each worker holds up the process for five seconds.
        """
        try:
            yield
        finally:
            for loop in seams.all_loops(self):
                seams.stop_workers(getattr(loop, 'dataloader', None))

    def save_checkpoint(self, *args, **kwargs) -> None:
        """Save atomically, in a form that loads as weights only."""
        save_runner_checkpoint(self, *args, **kwargs)

    def load_checkpoint(
        self, filename: str, map_location='cpu', strict: bool = False, revise_keys=None
    ) -> dict:
        """Load weights; a checkpoint that does not fit the model is an error."""
        return load_runner_checkpoint(self, filename, map_location, strict, revise_keys)

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location='default',
    ) -> None:
        """Continue a run exactly where its checkpoint was written."""
        resume_runner(self, filename, resume_optimizer, resume_param_scheduler, map_location)
        # The resumed run's seed replaces the fresh one, also in the sampler already built.
        sampler = getattr(self.train_dataloader, 'sampler', None)
        if hasattr(sampler, 'seed'):
            sampler.seed = self.seed
