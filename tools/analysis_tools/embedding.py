"""Map the features of a checkpoint's backbone to the plane with t-SNE or PCA.

Examples:
    python tools/analysis_tools/embedding.py configs/quickstart/3_knn_probe.py \\
        work_dirs/quickstart/pretrain/epoch_40.pth --out features.png
    python tools/analysis_tools/embedding.py CONFIG random --method pca
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments, save_figure


def main() -> None:
    """Parse arguments, extract, project, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of a labelled dataset and a model with a backbone')
    parser.add_argument('checkpoint', help="file or URL; 'random' takes the initial weights")
    parser.add_argument('--split', default='test', help='train, val or test dataloader')
    parser.add_argument('--num', type=int, default=2000, help='at most this many samples')
    parser.add_argument('--method', choices=('tsne', 'pca'), default='tsne')
    parser.add_argument('--perplexity', type=float, default=30.0, help='of t-SNE')
    parser.add_argument('--seed', type=int, default=0, help='of t-SNE')
    parser.add_argument('--out', help='PNG, SVG or PDF (default: work_dirs/embedding/...)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = keep_arguments(parser.parse_args())
    from rsmm.inference.features import extract_features
    from rsmm.visualization.embedding import draw_embedding, project

    found = extract_features(args.config, args.checkpoint, args.split, args.num, args.cfg_options)
    points = project(found.vectors, args.method, args.seed, args.perplexity)
    weights = Path(args.checkpoint).stem
    stem = f'{Path(args.config).stem}_{weights}_{args.split}_{args.method}'
    out = Path(args.out or f'work_dirs/embedding/{stem}.png')
    out.parent.mkdir(parents=True, exist_ok=True)
    title = f'{args.method.upper()} of {len(points)} {args.split} samples, {weights}'
    save_figure(draw_embedding(points, found.labels, found.classes, title), out)
    print(out)


if __name__ == '__main__':
    sys.exit(guarded(main))
