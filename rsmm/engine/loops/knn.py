"""Testing a backbone by its nearest neighbours, without training anything."""

from __future__ import annotations

import copy

import numpy as np
import torch
from mmengine.dist import all_gather, is_main_process
from mmengine.runner import TestLoop
from torch import Tensor
from torch.utils.data import DataLoader

from rsmm.evaluation.functional.knn import knn_scores
from rsmm.registry import LOOPS
from rsmm.utils import track


@LOOPS.register_module()
class KNNTestLoop(TestLoop):
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
        self.bank_dataloader = runner.build_dataloader(config, seed=runner.seed)
        self.k = k
        self.temperature = temperature

    def run(self) -> dict[str, float]:
        """Extract the bank, vote for every test sample and evaluate."""
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        bank, labels = self._bank()
        num_classes = len(self.dataloader.dataset.metainfo['classes'])
        for index, batch in enumerate(self.dataloader):
            self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=batch)
            features, samples = self._features(batch)
            scores = knn_scores(bank, labels, features, num_classes, self.k, self.temperature)
            for sample, score in zip(samples, scores, strict=True):
                sample.set_pred_score(score).set_pred_label(score.argmax())
            self.evaluator.process(data_samples=samples, data_batch=batch)
            self.runner.call_hook(
                'after_test_iter', batch_idx=index, data_batch=batch, outputs=samples
            )
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    @torch.no_grad()
    def _features(self, batch: dict) -> tuple[Tensor, list]:
        model = getattr(self.runner.model, 'module', self.runner.model)
        data = model.data_preprocessor(batch, training=False)
        with torch.autocast(data['inputs'].device.type, enabled=self.fp16):
            features = model.backbone(data['inputs'])
        features = features[-1] if isinstance(features, tuple | list) else features
        if features.dim() > 2:
            features = features.flatten(2).mean(2)
        return features.float(), data['data_samples']

    def _bank(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the labelled samples of all processes, each sample once."""
        features, labels, indices = [], [], []
        batches = self.bank_dataloader
        for batch in track(batches, 'Extracting the bank') if is_main_process() else batches:
            part, samples = self._features(batch)
            features.append(part)
            labels.append(torch.stack([sample.gt_label.view(-1)[0] for sample in samples]))
            indices += [sample.sample_idx for sample in samples]
        parts = [torch.cat(features), torch.cat(labels), torch.tensor(indices)]
        device = parts[0].device
        features, labels, indices = (torch.cat(all_gather(part.to(device))) for part in parts)
        # Samplers repeat some samples, so every process holds as many.
        _, first = np.unique(indices.cpu().numpy(), return_index=True)
        return features[first], labels[first]
