"""Saving checkpoints such that a crash at any moment leaves a run that can go on."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from rsmm.checkpoints.files import write_pointer
from rsmm.checkpoints.run_files import PAUSED, outdated_best
from rsmm.errors import ConfigError, did_you_mean
from rsmm.registry import HOOKS, unknown_setting


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook with another order of steps: write, point, and only then delete.

    ``last_checkpoint`` and the log history never name a file that is gone: an old checkpoint, and
    the previous best one, are removed after their successor is complete and the pointer is moved.
    Both are written atomically. Settings are those of :class:`mmengine.hooks.CheckpointHook`
    except ``published_keys``; ``tools/model_converters/publish_model.py`` publishes.

    Raises:
        ConfigError: A setting does not exist; mmengine would hand it on to each save.
    """

    best_ckpt_path: str | None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for key in self.args:
            raise unknown_setting(MMEngineCheckpointHook, key)

    def _init_rule(self, rules, key_indicators) -> None:
        """Find out which is better, more or less, as mmengine does from the metric's name."""
        try:
            super()._init_rule(rules, key_indicators)
        except ValueError as error:
            raise ConfigError(
                f'save_best={key_indicators}: whether more or less of it is better cannot be told',
                where='default_hooks.checkpoint',
                fix="Set rule='greater' or rule='less' beside it",
            ) from error

    def before_train(self, runner: Runner) -> None:
        """Take up what the resumed run had; best files that it does not know of go.

        A run killed between two of them leaves both, and one resumed from an earlier checkpoint
        those of its lost future.
        """
        super().before_train(runner)
        if runner.iter:
            # A validation that is finished now has to be entered there.
            self.last_ckpt = runner.message_hub.runtime_info.get('last_ckpt')
        if is_main_process() and runner.iter:
            for indicator in self.key_indicators if self.save_best else ():
                current = runner.message_hub.runtime_info.get(self._key('best_ckpt', indicator))
                for old in outdated_best(self.out_dir, indicator, current):
                    old.unlink()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = self._note_step(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = str(Path(self.out_dir) / name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            **self.args,
        )
        if is_main_process():
            write_pointer(runner.work_dir, self.last_ckpt)
            paused = Path(self.out_dir).glob(PAUSED.format('*'))
            names = (self.filename_tmpl.format(old) for old in outdated)
            for old in (*paused, *(Path(self.out_dir) / name for name in names)):
                old.unlink(missing_ok=True)

    def _note_step(self, runner: Runner, step: int) -> list[int]:
        """Enter ``step`` among the kept ones and return those to delete."""
        if self.max_keep_ckpts <= 0:
            return []
        kept = [*self.keep_ckpt_ids, *([] if step in self.keep_ckpt_ids else [step])]
        outdated, kept = kept[: -self.max_keep_ckpts], kept[-self.max_keep_ckpts :]
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(kept)
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        return outdated

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        if 'auto' in self.key_indicators:
            self._init_rule(self.rules, [next(iter(metrics))])
        now = runner.epoch if self.by_epoch else runner.iter
        meta = {'epoch': runner.epoch, 'iter': runner.iter}
        outdated = []
        improved = False
        for indicator, rule in zip(self.key_indicators, self.rules, strict=True):
            score = self._score(metrics, indicator)
            if self._is_best(runner, indicator, rule, score):
                improved = True
                outdated.append(self._save_best(runner, indicator, score, now, meta))
        if not improved:
            return
        if self.last_ckpt is not None:
            # The last checkpoint was saved before the validation: let it know the new best.
            self._save_checkpoint_with_step(runner, now, dict(meta))
        if is_main_process():
            for old in filter(None, outdated):
                Path(old).unlink(missing_ok=True)

    def _key(self, kind: str, indicator: str) -> str:
        """Name in the message hub, as mmengine has it."""
        return kind if len(self.key_indicators) == 1 else f'{kind}_{indicator}'

    def _score(self, metrics: dict, indicator: str) -> float | None:
        if indicator not in metrics:
            raise ConfigError(
                f"the validation gives no '{indicator}'.{did_you_mean(indicator, metrics)}",
                where='default_hooks.checkpoint.save_best',
                fix=f'It gives {", ".join(metrics)}',
            )
        return metrics[indicator]

    def _is_best(self, runner: Runner, indicator: str, rule: str, score: float | None) -> bool:
        key = self._key('best_score', indicator)
        known = key in runner.message_hub.runtime_info
        best = runner.message_hub.get_info(key) if known else self.init_value_map[rule]
        return score is not None and self.is_better_than[indicator](score, best)

    def _save_best(
        self, runner: Runner, indicator: str, score: float, now: int, meta: dict
    ) -> str | None:
        """Save the best checkpoint and return the path of the previous one, if it is another."""
        name = f'best_{indicator}_{self.filename_tmpl.format(now)}'.replace('/', '_')
        path = str(Path(self.out_dir) / name)
        single = len(self.key_indicators) == 1
        previous = self.best_ckpt_path if single else self.best_ckpt_path_dict[indicator]
        if single:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[indicator] = path
        runner.message_hub.update_info(self._key('best_score', indicator), score)
        runner.message_hub.update_info(self._key('best_ckpt', indicator), path)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=False,
            save_param_scheduler=False,
            meta=dict(meta),
            by_epoch=False,
        )
        runner.logger.info(f'The best {indicator} so far, {score:.4f}, is saved to {name}')
        return previous if previous != path else None
