"""Testing what a backbone's features are good for, without training anything."""

from __future__ import annotations

import torch
from mmengine.runner import TestLoop
from torch import Tensor

from rsmm.models.layers.pair_vectors import pair_vectors, sample_weights
from rsmm.models.layers.pooling import pool
from rsmm.registry import LOOPS


@LOOPS.register_module()
class FeatureTestLoop(TestLoop):
    """Give every test sample the feature vector of the model's backbone as ``feature``.

    The backbone is in evaluation mode; spatial features are averaged, those of pairs of dates where
    something changed (:func:`pair_vectors`). Evaluators that compare the samples with each other
    (``RetrievalPR``, ``ClusterPurity``, ``EventRetrieval``) do the rest.

    Args:
        runner: The runner.
        dataloader: Loader of the test samples.
        evaluator: Evaluator of the features.
        fp16: Extract features in half precision.
    """

    def run(self) -> dict[str, float]:
        """Extract, describe and evaluate every test sample."""
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        self.prepare()
        for index, batch in enumerate(self.dataloader):
            self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=batch)
            features, samples = self.features(batch)
            self.describe(features, samples)
            self.evaluator.process(data_samples=samples, data_batch=batch)
            self.runner.call_hook(
                'after_test_iter', batch_idx=index, data_batch=batch, outputs=samples
            )
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def prepare(self) -> None:
        """Do what must be done before the first batch."""

    def describe(self, features: Tensor, samples: list) -> None:
        """Put what the evaluator reads into the data samples of a batch ``(N, D)``."""
        for sample, feature in zip(samples, features, strict=True):
            sample.set_field(feature, 'feature')

    @torch.no_grad()
    def features(self, batch: dict) -> tuple[Tensor, list]:
        """Features ``(N, D)`` float32 of a batch, and its data samples."""
        model = getattr(self.runner.model, 'module', self.runner.model)
        data = model.data_preprocessor(batch, training=False)
        inputs, samples = data['inputs'], data['data_samples']
        pair = not isinstance(inputs, Tensor)
        device = inputs[0].device if pair else inputs.device
        with torch.autocast(device.type, enabled=self.fp16):
            if pair:
                weights = sample_weights(samples, device)
                return pair_vectors(model.backbone, inputs, weights), samples
            features = model.backbone(inputs)
        return pool(features).float(), samples
