"""What a semi-supervised run knows and a rule must be told; averaged weights for evaluation."""

from __future__ import annotations

import copy

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.model import ExponentialMovingAverage
from mmengine.runner import BaseLoop, Runner

from rsmm.errors import ConfigError
from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import HOOKS
from rsmm.utils.seams import train_loop


@HOOKS.register_module()
class SemiSupervisedHook(Hook):
    """Tell the rule the sizes of both sets, the class frequencies and the length of the run.

    Class frequencies are those of the labelled samples: shares that add up to 1, or with many
    labels per image the share of images that have the class. Runs before a checkpoint is loaded and
    before weights are copied for averaging.
    """

    priority = 'HIGH'

    def before_run(self, runner: Runner) -> None:
        """Prepare the rule if the run trains."""
        if not isinstance(train_loop(runner), BaseLoop):
            return
        model = bare_model(runner)
        rule = getattr(model, 'rule', None)
        if rule is None:
            raise ConfigError(
                f'{type(model).__name__} has no rule',
                where='SemiSupervisedHook',
                fix='Use SSLClassifier or STSSLClassifier, or leave the hook out',
            )
        dataset = runner.train_dataloader.dataset
        labelled, unlabelled = getattr(dataset, 'sizes', (len(dataset), 0))
        rule.prepare(
            num_labelled=labelled,
            num_unlabelled=unlabelled or None,
            class_frequency=class_frequency(dataset, labelled, rule.multi_label),
            max_iters=runner.max_iters,
        )
        model.seed = runner.seed

    def before_train(self, runner: Runner) -> None:
        """Count a new run's steps from 0, also when it starts from a trained rule's weights."""
        if runner.iter == 0:
            bare_model(runner).rule.step.zero_()


def class_frequency(dataset, labelled: int, multi_label: bool) -> torch.Tensor | None:
    """Share of each class among the labelled samples ``(C,)``, None if the dataset does not count.

    Args:
        dataset: With a method ``label_counts() -> (C,)``.
        labelled: Number of labelled samples.
        multi_label: Shares of samples instead of shares of labels.
    """
    count = getattr(dataset, 'label_counts', None)
    if count is None:
        return None
    counts = torch.as_tensor(count()).double()
    return (counts / (labelled if multi_label else counts.sum())).float()


class _AverageFromStart(ExponentialMovingAverage):
    """mmengine's average without its copy at the first update: the start is set from outside."""

    def start_from(self, model: torch.nn.Module) -> None:
        """Take the weights of a model as they are."""
        self.module.load_state_dict(copy.deepcopy(model.state_dict()))
        self.steps.fill_(1)


@HOOKS.register_module()
class AveragedWeightsHook(EMAHook):
    """Evaluate and save a running average of the weights, and put the raw ones back.

    As mmengine's, but the average starts from the initial weights, where mmengine copies those
    after the first step. State that is no parameter (queues, thresholds, batch statistics) is the
    model's own.

    Args:
        momentum: Share of the new weights in each step (.001: decay .999).
        **kwargs: As mmengine's.
    """

    def __init__(self, momentum: float = 0.001, **kwargs) -> None:
        super().__init__(momentum=momentum, **kwargs)

    def before_run(self, runner: Runner) -> None:
        """Make room for the average."""
        settings = {key: value for key, value in self.ema_cfg.items() if key != 'type'}
        self.src_model = bare_model(runner)
        self.ema_model = _AverageFromStart(self.src_model, **settings)

    def before_train(self, runner: Runner) -> None:
        """Start from the weights that the run starts from, unless it was resumed."""
        super().before_train(runner)
        if runner.iter == 0:
            self.ema_model.start_from(self.src_model)
