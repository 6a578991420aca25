"""How well CACo finds the places of a toy archive that changed: area under the ROC curve.

    python benchmarks/caco_change.py TOY_CACO CONFIG CHECKPOINT [--cfg-options packed=DIR ...]

The running evidence of the checkpoint, per image and place, stands beside what could be had: all
pairs of dates seen by the key encoder, by random weights, and as 8 x 8 pixels without a network.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import DictAction
from mmengine.registry import init_default_scope
from sklearn.metrics import roc_auc_score

from rsmm.apis.config import load_config, model_settings
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.datasets.transforms.scenes import LoadScenes
from rsmm.datasets.transforms.seasonal import QuantileStretch
from rsmm.models.layers.pooling import pool
from rsmm.registry import DATASETS, MODELS


def read_truth(root: str) -> dict[str, bool]:
    """Whether each place changed."""
    with open(Path(root) / 'truth.csv', newline='', encoding='utf-8') as file:
        return {row['place']: float(row['built_up_share']) > 0 for row in csv.DictReader(file)}


def load_places(dataset, size: int) -> np.ndarray:
    """All scenes of all places, (P, 2, D, size, size, C) uint8, old and new set."""
    load, stretch = LoadScenes(size=size), QuantileStretch('seco')
    images = [stretch(load(dataset.get_data_info(i)))['img'] for i in range(len(dataset))]
    return np.stack(images).reshape(-1, 2, *np.shape(images[0]))


@torch.no_grad()
def embed(model, images: np.ndarray, head: int | None) -> np.ndarray:
    """Unit vectors of the key encoder, (P, 2, D, E): pooled features or those of a head."""
    model.eval()
    flat = torch.from_numpy(images.reshape(-1, *images.shape[3:])).permute(0, 3, 1, 2)
    flat = F.interpolate(flat.float(), size=32, mode='area').round().to(torch.uint8)
    parts = []
    for part in flat.split(100):
        x = model.data_preprocessor({'inputs': list(part)}, False)['inputs']
        maps = model.backbone_k(x)
        parts.append(pool(maps) if head is None else model.neck_k(maps)[head])
    return F.normalize(torch.cat(parts), dim=1).numpy().reshape(*images.shape[:3], -1)


def pixels(images: np.ndarray) -> np.ndarray:
    """Standardised 8 x 8 thumbnails as unit vectors, (P, 2, D, E)."""
    flat = images.reshape(-1, *images.shape[3:])
    small = np.stack([cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA) for image in flat])
    vectors = small.reshape(len(flat), -1).astype(float)
    vectors = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-6)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.reshape(*images.shape[:3], -1)


def all_pairs(vectors: np.ndarray) -> np.ndarray:
    """Mean long-term over mean short-term distance of each place, (P,)."""
    old, new = vectors[:, 0], vectors[:, 1]

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a[:, :, None] - b[:, None], axis=-1)

    dates = old.shape[1]
    short = (distances(old, old) + distances(new, new)).sum((1, 2)) / (2 * dates * (dates - 1))
    return distances(old, new).mean((1, 2)) / short


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    init_default_scope('rsmm')
    config = load_config(args.config, args.cfg_options)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    size = next(s.size for s in config.train_dataloader.dataset.pipeline if s.type == 'LoadScenes')
    images = load_places(dataset, size)
    known = read_truth(args.root)
    names = [dataset.get_data_info(i)['place'] for i in range(0, len(dataset), 2)]
    truth = np.array([known[name] for name in names])
    state = load_checkpoint_file(args.checkpoint)['state_dict']
    ratio, flag = state['change_flags.ratio'].numpy(), state['change_flags.flag'].numpy()
    torch.manual_seed(0)
    model = MODELS.build(model_settings(config))
    model.init_weights()
    rows = {
        'running evidence, images': roc_auc_score(truth.repeat(2), ratio),
        'running evidence, places': roc_auc_score(truth, ratio.reshape(-1, 2).mean(1)),
        'all pairs, pixels': roc_auc_score(truth, all_pairs(pixels(images))),
    }
    for name in ('random', 'pretrained'):
        if name == 'pretrained':
            wanted = ('backbone', 'neck')
            weights = {key: value for key, value in state.items() if key.startswith(wanted)}
            model.load_state_dict(weights, strict=False)
        for head, what in ((None, 'features'), (1, 'sub-space 1')):
            score = roc_auc_score(truth, all_pairs(embed(model, images, head)))
            rows[f'all pairs, {what} of {name} weights'] = score
    for name, value in rows.items():
        print(f'{name:45} AUROC {value:.3f}')
    hits = flag == truth.repeat(2)
    print(f'flags: {(flag == 1).mean():.1%} changed, {hits.mean():.1%} of the images right')


if __name__ == '__main__':
    main()
