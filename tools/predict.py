"""Map scenes with a trained model: classes, change, seasons, footprints, boxes.

What is made is what the model declares. Per scene OUT holds NAME_map.tif (a cloud-optimised GeoTIFF
with colours and class names), NAME_areas.csv and what the options add; summary.csv has a row per
scene. A second call does what is missing.

Examples:
    python tools/predict.py zoo_eurosat-rgb zoo scene.tif --out maps
    python tools/predict.py CONFIG CKPT FOLDER 'more/*.tif' --out maps --polygons
    python tools/predict.py CONFIG CKPT scenes.csv --out maps
    python tools/predict.py CONFIG CKPT before.tif after.tif --out change
    python tools/predict.py CONFIG CKPT https://example.org/scene.tif --out maps --tta
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

from rsmm.apis.cli import guarded, short_warnings
from rsmm.utils.outputs import keep_arguments


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or a name of the zoo')
    parser.add_argument('checkpoint', help="weights, 'zoo' or 'random'")
    parser.add_argument(
        'inputs',
        nargs='+',
        help='files, folders, globs, addresses, tables (.csv: path or before,after; name; date) '
        'or STAC items (.json); for change the earlier and the later, for seasons all dates',
    )
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument(
        '--probabilities', nargs='?', const='uint8', choices=('uint8', 'float16'),
        help='also write those of each class; in bytes 250 is 1',
    )  # fmt: skip
    parser.add_argument(
        '--confusion', help='CSV or JSON of a validation, rows mapped: adjusts the areas'
    )
    parser.add_argument('--polygons', action='store_true', help='also outline the map')
    parser.add_argument(
        '--min-area', type=float, default=0.0,
        help='of polygons and their holes, in square metres; smaller ones go to the neighbour',
    )  # fmt: skip
    parser.add_argument(
        '--simplify', type=float, default=1.5, help='tolerance of outlines in pixels; 0 for none'
    )
    parser.add_argument('--html', action='store_true', help='also write index.html to look at')
    parser.add_argument('--vector', choices=('gpkg', 'geojson'), default='gpkg')
    parser.add_argument(
        '--gsd', metavar='METRES', help="bring scenes to this pixel size; 'model': that of training"
    )
    parser.add_argument(
        '--check', choices=('error', 'warn', 'off'), default='error',
        help='what to do about another unit, range or pixel size than in training',
    )  # fmt: skip
    parser.add_argument('--tta', action='store_true', help='average eight views')
    parser.add_argument(
        '--bands', nargs='+', help='of the files in order, if they do not name them'
    )
    parser.add_argument('--tile', type=int, help='side of tiles; default as the model has it')
    parser.add_argument('--stride', type=int, help='distance of tiles; default 7/8 of the side')
    parser.add_argument('--batch-size', type=int, help='tiles at a time')
    parser.add_argument('--merge', choices=('mean', 'linear'), default='linear')
    parser.add_argument('--score', type=float, default=0.3, help='least score of boxes')
    parser.add_argument('--iou', type=float, default=0.5, help='overlap at which boxes merge')
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Predict and say what was written."""
    args = parse_args(argv)
    from rsmm.inference.inferencer import Inferencer

    polygons = dict(min_area=args.min_area, simplify=args.simplify) if args.polygons else None
    infer = Inferencer(args.config, args.checkpoint, args.device, args.cfg_options)
    found = infer(
        args.inputs,
        batch_size=args.batch_size,
        bands=args.bands,
        check=args.check,
        gsd=args.gsd,
        tile=args.tile,
        stride=args.stride,
        merge=args.merge,
        tta=args.tta,
        score=args.score,
        iou=args.iou,
        out=args.out,
        polygons=polygons,
        html=args.html,
        probabilities=args.probabilities,
        confusion=args.confusion,
        vector=args.vector,
    )
    for scene in found['predictions']:
        for warning in scene['warnings']:
            print(f'Warning: {scene["scene"]}: {warning}', file=sys.stderr)
    print(f'{len(found["predictions"])} scenes, written to {found["visualization"] or args.out}')


if __name__ == '__main__':
    with short_warnings():
        sys.exit(guarded(main))
