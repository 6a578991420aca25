"""A class or change map of a scene of any size, as GeoTIFF on the grid of the input.

Examples:
    python tools/predict_scene.py CONFIG CKPT scene.tif --out map.tif
    python tools/predict_scene.py zoo_eurosat-rgb zoo scene.tif --out classes.tif
    python tools/predict_scene.py CONFIG CKPT before.tif after.tif --out change.tif
    python tools/predict_scene.py CONFIG CKPT scene.tif --out map.tif --bands B02 B03 B04 B08

Bands that the model names are looked up by name. Pixels without data are 255 in the map. For many
scenes, colours, areas, polygons and a page see tools/predict.py.
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
    parser.add_argument('config', help='config file, or a name of the zoo')
    parser.add_argument('checkpoint', help="weights, 'zoo' or 'random'")
    parser.add_argument('images', nargs='+', help='one image, or the earlier and the later one')
    parser.add_argument('--out', required=True, help='GeoTIFF to write')
    parser.add_argument(
        '--bands', nargs='+', help='of the files in order, if they do not name them'
    )
    parser.add_argument('--tile', type=int, help='default: 512; 64 for a classifier of chips')
    parser.add_argument('--stride', type=int, help='default: 7/8 of the tile; 32 for a classifier')
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--merge', choices=('mean', 'linear'), default='linear')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return keep_arguments(parser.parse_args(argv))


def main(argv: list[str] | None = None) -> None:
    """Predict and say where the map is."""
    args = parse_args(argv)
    from rsmm.apis.config import load_config
    from rsmm.apis.model import build_model
    from rsmm.inference.scene import predict_scene
    from rsmm.inference.tasks import reading_of, task_of

    model = build_model(args.config, args.checkpoint, device=args.device, options=args.cfg_options)
    config = load_config(args.config, args.cfg_options)
    reading = reading_of(config)
    predict_scene(
        model,
        args.images,
        args.out,
        bands=args.bands,
        tile=args.tile,
        stride=args.stride,
        batch_size=args.batch_size,
        merge=args.merge,
        scale=reading.scale,
        nodata=reading.nodata,
        scaled_values=reading.scaled,
        ignored=task_of(model, config).ignored,
    )
    print(f'Written to {args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
