"""F1 of building instances on the tile left out, under several ways from logits to footprints.

    python benchmarks/building_tiles.py --config configs/spacenet7/vegas_... --checkpoint FILE \\
        --data-root data/spacenet2_vegas --picture left_out.png

The way is chosen on the training tiles; that row is the result, the others show what hangs on it.
Results go to ``benchmarks/results/building_tiles_<config>.json``. In the picture found buildings
are green, false ones red, missed ones blue.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw
from record import record

from rsmm.apis.config import load_config
from rsmm.apis.model import build_model
from rsmm.datasets.building_tiles import BuildingTiles
from rsmm.datasets.transforms.footprints import read_footprints
from rsmm.evaluation.functional import (
    f1_score,
    footprint_counts,
    match_footprints,
    pixel_counts,
)
from rsmm.geo import FootprintSet, footprint_mask, logits_to_polygons
from rsmm.geo.raster import read_raster
from rsmm.inference.mapping import tile_predictor

MIN_AREA = 100  # pixels of 0.3 m: 9 square metres
WAYS = [{'threshold': t} for t in (0.0, 0.5, 1.0, 1.5, 2.0)]
WAYS += [
    {'watershed': pair} for pair in ((0.5, 0.3), (0.6, 0.4), (0.7, 0.4), (0.7, 0.5), (0.8, 0.5))
]


def load_tiles(data_root: str, predict) -> dict[str, tuple]:
    """Read image, truth and logits of every tile."""
    dataset = BuildingTiles(data_root)
    tiles = {}
    for entry in map(dataset.get_data_info, range(len(dataset))):
        image, place = read_raster(entry['img_path'])
        truth, _ = read_footprints(
            entry['label_path'], place['crs'], place['transform'], shape=image.shape[:2]
        )
        tiles[entry['aoi']] = image, truth, predict(image[None])[0]
    return tiles


def instance_counts(tiles, names, way: dict) -> np.ndarray:
    """Sum true positives, false positives and misses over tiles."""
    return np.sum(
        [
            footprint_counts(tiles[n][1], logits_to_polygons(tiles[n][2], min_area=MIN_AREA, **way))
            for n in names
        ],
        axis=0,
    )


def picture(image: np.ndarray, truth, found, scale: int = 2) -> Image.Image:
    """Draw matched, false and missed buildings on the image, stretched by percentiles."""
    low, high = np.percentile(image, (2, 98), axis=(0, 1))
    grey = (np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    canvas = Image.fromarray(grey).resize([side * scale for side in grey.shape[1::-1]])
    pairs = match_footprints(FootprintSet(truth), FootprintSet(found), 0.5)
    hit, met = {p for _, p in pairs}, {g for g, _ in pairs}
    pen = ImageDraw.Draw(canvas)
    layers = [(s, 'lime' if k in hit else 'red') for k, s in enumerate(found)]
    layers += [(s, 'blue') for k, s in enumerate(truth) if k not in met]
    for shape, colour in layers:
        for ring in shapely.get_rings(shape):
            points = shapely.get_coordinates(ring) * scale
            pen.line([tuple(point) for point in points.tolist()], fill=colour, width=3)
    return canvas


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', required=True)
    parser.add_argument('--checkpoint', required=True)
    parser.add_argument('--data-root', required=True)
    parser.add_argument('--picture', type=Path)
    args = parser.parse_args()
    held = load_config(args.config).held_out
    tiles = load_tiles(args.data_root, tile_predictor(build_model(args.config, args.checkpoint)))
    rest = [name for name in tiles if name != held]
    image, truth, logits = tiles[held]
    mask = footprint_mask(truth, logits.shape[:2]).astype(np.uint8)
    results = {'tile': held, 'pixel_f1': f1_score(*pixel_counts(logits[..., 0] > 0, mask))}
    print(f'{held}: {len(truth)} buildings, pixel F1 {results["pixel_f1"]:.3f}')
    rows = []
    for way in WAYS:
        counts = instance_counts(tiles, [held], way)
        row = {
            'way': way,
            'train_f1': round(float(f1_score(*instance_counts(tiles, rest, way))), 3),
            'held_out_f1': round(float(f1_score(*counts)), 3),
            'tp_fp_fn': counts.tolist(),
        }
        rows.append(row)
        print(row)
    chosen = max(rows, key=lambda row: row['train_f1'])
    print('chosen on the training tiles:', chosen)
    record(f'building_tiles_{Path(args.config).stem}', {**results, 'ways': rows, 'chosen': chosen})
    if args.picture:
        found = logits_to_polygons(logits, min_area=MIN_AREA, **chosen['way'])
        picture(image, truth, found).save(args.picture)


if __name__ == '__main__':
    main()
