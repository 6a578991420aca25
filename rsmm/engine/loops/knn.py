"""Testing a backbone by its nearest neighbours, without training anything."""

from __future__ import annotations

import copy

import numpy as np
import torch
from mmengine.dist import all_gather, is_main_process
from torch import Tensor
from torch.utils.data import DataLoader

from rsmm.engine.loops.feature import FeatureTestLoop
from rsmm.evaluation.functional.knn import knn_scores
from rsmm.registry import LOOPS
from rsmm.utils import track


@LOOPS.register_module()
class KNNTestLoop(FeatureTestLoop):
    """Classify the test samples by the labelled samples nearest to them in feature space.

    The model's backbone, in evaluation mode, gives one vector per sample (spatial features are
    averaged). The votes become ``pred_score`` and ``pred_label`` of each data sample, so that the
    evaluator and ``tools/test.py --out`` work as for a classifier.

    Args:
        runner: The runner.
        dataloader: Loader of the samples to classify.
        evaluator: Evaluator of the predictions.
        bank: Settings in which the dataset of the labelled samples differs from that of the test
            samples, e.g. ``dict(split='train')``.
        k: Neighbours that vote.
        temperature: Sharpness of the votes.
        fp16: Extract features in half precision.
    """

    def __init__(
        self,
        runner,
        dataloader: DataLoader | dict,
        evaluator,
        bank: dict,
        k: int = 20,
        temperature: float = 0.07,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16=fp16)
        config = copy.deepcopy(runner.cfg.test_dataloader)
        config.dataset.update(bank)
        config.persistent_workers = False  # read once
        self.bank_dataloader = runner.build_dataloader(config, seed=runner.seed)
        self.k = k
        self.temperature = temperature

    def prepare(self) -> None:
        """Extract the bank."""
        self.bank, self.labels = self._bank()
        self.num_classes = len(self.dataloader.dataset.metainfo['classes'])

    def describe(self, features: Tensor, samples: list) -> None:
        """Vote for the samples of a batch."""
        scores = knn_scores(
            self.bank, self.labels, features, self.num_classes, self.k, self.temperature
        )
        for sample, score in zip(samples, scores, strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax())

    def _bank(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the labelled samples of all processes, each sample once."""
        features: list[Tensor] = []
        labels: list[Tensor] = []
        indices: list[int] = []
        batches = self.bank_dataloader
        for batch in track(batches, 'Extracting the bank') if is_main_process() else batches:
            part, samples = self.features(batch)
            features.append(part)
            labels.append(torch.stack([sample.gt_label.view(-1)[0] for sample in samples]))
            indices += [sample.sample_idx for sample in samples]
        parts = [torch.cat(features), torch.cat(labels), torch.tensor(indices)]
        device = parts[0].device
        every, truth, rows = (torch.cat(all_gather(part.to(device))) for part in parts)
        # Samplers repeat some samples, so every process holds as many.
        _, first = np.unique(rows.cpu().numpy(), return_index=True)
        return every[first], truth[first]
