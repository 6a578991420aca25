"""Land-cover probe of contrastive checkpoints on EuroSAT's GeoTIFFs, beside random weights.

    python benchmarks/contrastive_probe.py EUROSAT_ROOT CONFIG CHECKPOINT [--cfg-options ...]

The chips are brought to the scale of the pretraining archive (DN / 10000 * 255, 8 bit); RGB methods
then see SeCo's stretch, SACo all bands. Frozen features, logistic regression, stratified split.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config
from rsmm.datasets.transforms.seasonal import QuantileStretch
from rsmm.engine.checkpoint import load_checkpoint_file
from rsmm.evaluation.functional.knn import knn_scores
from rsmm.evaluation.functional.probes import linear_probe_accuracy
from rsmm.models.selfsup.projectors import pool
from rsmm.registry import DATASETS, MODELS
from rsmm.sensors import RGB, band_order


def chips(root: str, split: str, rgb: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, C, H, W) uint8 on the pretraining's scale, and labels."""
    dataset = DATASETS.build(
        {
            'type': 'EuroSAT',
            'data_root': root,
            'bands': list(RGB if rgb else band_order('seco')),
            'split': split,
            'fractions': (0.7, 0.3),
            'pipeline': [{'type': 'LoadRaster'}],
        }
    )
    stretch = QuantileStretch('seco')
    images, labels = [], []
    for index in range(len(dataset)):
        results = dataset[index]
        results['img'] = np.clip(results['img'] / 10_000 * 255, 0, 255).astype(np.uint8)
        if rgb:
            results = stretch(results)
        images.append(torch.from_numpy(results['img']).permute(2, 0, 1))
        labels.append(results['gt_label'])
    return torch.stack(images), torch.tensor(labels)


@torch.no_grad()
def features(model, images: torch.Tensor) -> torch.Tensor:
    """Pooled features (N, D) of the frozen encoder."""
    model.eval()
    parts = []
    for part in images.split(64):
        data = model.data_preprocessor({'inputs': list(part)}, False)
        parts.append(pool(model.extract_feat(data['inputs'])))
    return torch.cat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    init_default_scope('rsmm')
    config = load_config(args.config, args.cfg_options)
    rgb = 'groups' not in config.model
    train, labels = chips(args.root, 'train', rgb)
    test, truth = chips(args.root, 'val', rgb)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    state = load_checkpoint_file(args.checkpoint)['state_dict']
    for name in ('random', 'pretrained'):
        if name == 'pretrained':
            weights = {k[9:]: v for k, v in state.items() if k.startswith('backbone.')}
            model.backbone.load_state_dict(weights)
        bank, queries = features(model, train), features(model, test)
        votes = knn_scores(bank, labels, queries, int(labels.max()) + 1)
        knn = float((votes.argmax(1) == truth).double().mean())
        linear = linear_probe_accuracy(bank, labels, queries, truth)
        print(f'{name:11} kNN {100 * knn:.1f} %, linear {100 * linear:.1f} % ({len(truth)} chips)')


if __name__ == '__main__':
    main()
