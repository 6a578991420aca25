"""Detect objects in images, folders of images or large scenes.

Writes all boxes as COCO JSON, those of each image as GeoJSON or GeoPackage in its coordinate
system, and annotated pictures.

Examples:
    python tools/predict_boxes.py CONFIG CKPT FOLDER --out boxes
    python tools/predict_boxes.py CONFIG CKPT scene.tif --out boxes --tile 1024 --vector gpkg
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded
from rsmm.utils.outputs import keep_arguments


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint', help="weights, or 'random'")
    parser.add_argument('images', nargs='+', help='image files or folders')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--tile', type=int, help='side of tiles; default as trained, else whole')
    parser.add_argument('--stride', type=int, help='distance of tiles; default 4/5 of a tile')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--score', type=float, default=0.3, help='least score written')
    parser.add_argument('--iou', type=float, default=0.5, help='overlap at which boxes merge')
    parser.add_argument('--bands', nargs='+', help='bands by name that the detector takes')
    parser.add_argument('--vector', choices=('geojson', 'gpkg'), default='geojson')
    parser.add_argument('--no-pictures', action='store_true')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Detect and say how many objects were found."""
    args = parse_args(argv)
    from rsmm.inference.detect_files import detect_files, find_images, load_detector
    from rsmm.inference.detection import model_predictor

    images = find_images(args.images)
    detector = load_detector(args.config, args.checkpoint, args.device, args.cfg_options)
    found = detect_files(
        model_predictor(detector.model, detector.scale),
        images,
        args.out,
        detector.classes,
        bands=args.bands,
        tile=detector.tile if args.tile is None else args.tile,
        stride=args.stride,
        batch_size=args.batch_size,
        score_threshold=args.score,
        iou_threshold=args.iou,
        vector=args.vector,
        pictures=not args.no_pictures,
    )
    total = sum(len(detections.boxes) for detections in found)
    print(f'{total} objects in {len(images)} images, written to {args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
