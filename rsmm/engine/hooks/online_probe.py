"""Judging the backbone while it is pretrained: nearest neighbours and a linear probe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.dataset import default_collate
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rsmm.evaluation.functional.knn import knn_scores
from rsmm.evaluation.functional.probes import linear_probe_accuracy
from rsmm.models.layers.pooling import pool
from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import DATASETS, HOOKS, MODELS


@torch.no_grad()
def extract_features(
    model: Any, preprocessor: nn.Module, batches: Iterable[dict]
) -> tuple[Tensor, Tensor]:
    """Pooled features and labels of labelled images.

    Batch normalisation and dropout are in evaluation mode meanwhile; a frozen encoder in training
    mode would change with the probe's data.

    Args:
        model: Has ``extract_feat``.
        preprocessor: Normalises a batch.
        batches: Batches of ``inputs`` and ``data_samples`` with ``gt_label``.

    Returns:
        Features ``(N, D)`` and labels ``(N,)`` on the CPU.
    """
    was_training = model.training
    model.eval()
    features, labels = [], []
    for batch in batches:
        data = preprocessor(batch, False)
        features.append(pool(model.extract_feat(data['inputs'])).float().cpu())
        labels += [int(sample.gt_label) for sample in data['data_samples']]
    model.train(was_training)
    return torch.cat(features), torch.tensor(labels)


@HOOKS.register_module()
class OnlineProbeHook(Hook):
    """Report kNN and linear accuracy of the frozen backbone every few epochs.

    Runs beside the training: no validation loop, no checkpoint selection, its random stream apart.
    Values go to the log and to the message hub as ``probe/knn`` and ``probe/linear`` (percent).

    Args:
        train: Config of the labelled dataset.
        test: Config of the dataset to classify.
        interval: Epochs between probes; the last epoch is always probed.
        k: Neighbours.
        linear: Fit the linear probe too.
        at_start: Probe the initial weights, the baseline.
        data_preprocessor: Config of the probe's preprocessor; the model's own if left out.
        batch_size: Images per forward.
        num_workers: Loader processes.
    """

    def __init__(
        self,
        train: dict,
        test: dict,
        interval: int = 25,
        k: int = 20,
        linear: bool = True,
        at_start: bool = True,
        data_preprocessor: dict | None = None,
        batch_size: int = 128,
        num_workers: int = 0,
    ) -> None:
        self.settings = {'train': train, 'test': test}
        self.interval = interval
        self.k = k
        self.linear = linear
        self.at_start = at_start
        self.data_preprocessor = data_preprocessor
        self.batch_size = batch_size
        self.num_workers = num_workers

    def before_train(self, runner: Runner) -> None:
        """Build the datasets; probe the initial weights."""
        self.datasets = {name: DATASETS.build(cfg) for name, cfg in self.settings.items()}
        self.preprocessor = None
        if self.data_preprocessor is not None:
            self.preprocessor = MODELS.build(self.data_preprocessor)
        if self.at_start and runner.epoch == 0:
            self.probe(runner, epoch=0)

    def after_train_epoch(self, runner: Runner) -> None:
        """Probe every ``interval`` epochs and at the end."""
        epoch = runner.epoch + 1
        if epoch % self.interval == 0 or epoch == runner.max_epochs:
            self.probe(runner, epoch)

    def probe(self, runner: Runner, epoch: int) -> None:
        """Probe on the main process while the others wait."""
        if is_main_process():
            scores = self.scores(bare_model(runner))
            for name, value in scores.items():
                runner.message_hub.update_scalar(f'probe/{name}', value)
            text = ', '.join(f'{name} {value:.2f} %' for name, value in scores.items())
            runner.logger.info(f'online probe after {epoch} epochs: {text}')
        barrier()

    def scores(self, model: Any) -> dict[str, float]:
        """Accuracies in percent."""
        preprocessor = self.preprocessor or model.data_preprocessor
        preprocessor.to(next(model.parameters()).device)
        train, labels = extract_features(model, preprocessor, self._batches('train'))
        test, truth = extract_features(model, preprocessor, self._batches('test'))
        num_classes = int(max(labels.max(), truth.max())) + 1
        votes = knn_scores(train, labels, test, num_classes, min(self.k, len(train)))
        scores = {'knn': 100 * float((votes.argmax(1) == truth).double().mean())}
        if self.linear:
            scores['linear'] = 100 * linear_probe_accuracy(train, labels, test, truth)
        return scores

    def _batches(self, name: str) -> DataLoader:
        # A generator of its own: the loader would otherwise draw from the training's stream.
        return DataLoader(
            self.datasets[name],
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=default_collate,
            generator=torch.Generator().manual_seed(0),
        )
