"""Draw true and found boxes of NWPU VHR-10 without the images, which are not ours to hand on.

python docs/figures/nwpu_boxes.py CONFIG CHECKPOINT data_root=DIR ann_file=FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from rsmm.apis.config import load_config
from rsmm.geo.raster import read_raster
from rsmm.inference.detect_files import load_detector
from rsmm.inference.detection import Detections, model_predictor
from rsmm.registry import DATASETS

OUT = Path(__file__).with_suffix('.png')
SHOWN, SCORE = 8, 0.3
TRUTH, FOUND = 'black', 'tab:red'


def draw(axes, info: dict, found: Detections, classes: tuple[str, ...]) -> None:
    """Draw the boxes of one image: black lines are true, red ones found."""
    axes.set(xlim=(0, info['width']), ylim=(info['height'], 0), xticks=[], yticks=[], aspect=1)
    axes.set_title(Path(info['img_path']).stem, fontsize=8)
    for entry in info['instances']:
        outline(axes, entry['bbox'], TRUTH, 1.8)
    for box, score, label in zip(*found, strict=True):
        if score >= SCORE:
            outline(axes, box, FOUND, 0.9)
            axes.text(*box[:2], classes[label], color=FOUND, fontsize=5, clip_on=True)


def outline(axes, box, colour: str, width: float) -> None:
    """Draw a box (4,) of corners x1, y1, x2, y2."""
    x1, y1, x2, y2 = box
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, lw=width))


def main(config: str, checkpoint: str, *settings: str) -> None:
    """Predict the first validation images and write the figure."""
    options = dict(setting.split('=', 1) for setting in settings)
    dataset = DATASETS.build(load_config(config, options).test_dataloader.dataset)
    detector = load_detector(config, checkpoint, options=options)
    predict = model_predictor(detector.model, detector.scale)
    figure = Figure(figsize=(10, 5), layout='constrained')
    for axes, index in zip(figure.subplots(2, SHOWN // 2).flat, range(SHOWN), strict=True):
        info = dataset.get_data_info(index)
        image = read_raster(info['img_path'])[0]
        draw(axes, info, predict([image])[0], detector.classes)
    lines = [Line2D([], [], color=TRUTH), Line2D([], [], color=FOUND)]
    labels = ['truth', f'found, score {SCORE} or more']
    figure.legend(lines, labels, loc='outside lower center', ncols=2, fontsize=8)
    figure.savefig(OUT, dpi=110)


if __name__ == '__main__':
    main(*sys.argv[1:])
