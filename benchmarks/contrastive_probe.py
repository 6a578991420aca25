"""Land-cover probe of contrastive checkpoints on EuroSAT's GeoTIFFs, beside random weights.

    python benchmarks/contrastive_probe.py EUROSAT_ROOT CONFIG CHECKPOINT [--cfg-options ...]

All methods see the chips as in their pretraining: those of dated scenes on the archive's scale
(DN / 10000 * 255, 8 bit; RGB with SeCo's stretch, or that of EuroSAT's JPEGs where the config
has none, SACo all bands), those of EuroSAT as its JPEGs or in digital numbers. Frozen features;
nearest neighbours and logistic regression, five stratified folds.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.registry import init_default_scope
from sklearn.model_selection import StratifiedKFold

from rsmm.apis.config import load_config, model_settings
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.datasets.transforms.seasonal import QuantileStretch
from rsmm.evaluation.functional.knn import knn_scores
from rsmm.evaluation.functional.probes import linear_probe_accuracy
from rsmm.models.layers.pooling import pool
from rsmm.registry import DATASETS, MODELS
from rsmm.sensors import RGB, resolve_bands
from rsmm.toy.writers.common import to_uint8


def chips(root: str, config, most: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """At most so many images (N, C, H, W) as the config's pretraining has them, and labels."""
    data = config.train_dataloader.dataset
    dated = 'mode' in data
    bands = data.bands if dated or data.bands != 'ms' else 'eurosat'
    bands = list(resolve_bands(RGB if bands == 'rgb' else bands))
    dataset = DATASETS.build(
        {
            'type': 'EuroSAT',
            'data_root': root,
            'bands': bands,
            'split': 'all',
            'pipeline': [{'type': 'LoadRaster'}],
        }
    )
    steps = {step.type: step for step in data.pipeline}
    stretch = QuantileStretch('seco') if 'QuantileStretch' in steps else None
    images, labels = [], []
    chosen = np.linspace(0, len(dataset) - 1, min(most or len(dataset), len(dataset))).astype(int)
    for index in chosen.tolist():
        results = dataset[index]
        if tuple(bands) == RGB and stretch is None:
            results['img'] = to_uint8(results['img'])
        elif dated:
            results['img'] = np.clip(results['img'] / 10_000 * 255, 0, 255).astype(np.uint8)
        if stretch is not None:
            results = stretch(results)
        image = results['img']
        image = image.astype(np.int32) if image.dtype == np.uint16 else image
        images.append(torch.from_numpy(image).permute(2, 0, 1))
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
    parser.add_argument('--chips', type=int, help='take so many, evenly spread over the classes')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    init_default_scope('rsmm')
    config = load_config(args.config, args.cfg_options)
    images, labels = chips(args.root, config, args.chips)
    torch.manual_seed(0)
    model = MODELS.build(model_settings(config))
    model.init_weights()
    state = load_checkpoint_file(args.checkpoint)['state_dict']
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels))
    for name in ('random', 'pretrained'):
        if name == 'pretrained':
            weights = {k[9:]: v for k, v in state.items() if k.startswith('backbone.')}
            model.backbone.load_state_dict(weights)
        vectors = features(model, images)
        knn, linear = [], []
        for train, test in folds:
            bank, known, queries, truth = vectors[train], labels[train], vectors[test], labels[test]
            votes = knn_scores(bank, known, queries, int(labels.max()) + 1)
            knn.append(100 * float((votes.argmax(1) == truth).double().mean()))
            linear.append(100 * linear_probe_accuracy(bank, known, queries, truth))
        print(
            f'{name:11} kNN {np.mean(knn):.1f} +- {np.std(knn):.1f} %, '
            f'linear {np.mean(linear):.1f} +- {np.std(linear):.1f} % ({len(labels)} chips)'
        )


if __name__ == '__main__':
    main()
