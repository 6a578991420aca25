"""Pack one's own dated images: python tools/dataset_converters/pack_stacks.py ROOT --out DIR

ROOT holds a folder per stack with one multi-band GeoTIFF per date, the date in its name
(20180315, 2018-03-15, 2018_03); or, with --layout oscd, the OSCD archive. Images are cut into
tiles, each a place. Afterwards train with --cfg-options packed=DIR scene_size=SIZE.
"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded
from rsmm.sensors import resolve_bands


def main() -> None:
    """Parse arguments, pack, say what there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', help='folder with one folder per stack')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--layout', choices=('files', 'oscd'), default='files')
    parser.add_argument('--size', type=int, default=64, help='pixels per side of a tile')
    parser.add_argument('--stride', type=int, help='pixels between tiles (default: SIZE)')
    parser.add_argument('--bands', default='s2-rgb', help='s2-rgb, a band order or names with ,')
    parser.add_argument('--full-scale', type=float, help='stored value that becomes 255')
    args = parser.parse_args()
    from rsmm.datasets.scene_shards import SceneShards
    from rsmm.datasets.stack_tiles import find_file_stacks, find_oscd_stacks, pack_stacks

    bands = resolve_bands(args.bands.split(',') if ',' in args.bands else args.bands)
    if args.layout == 'oscd':
        stacks = find_oscd_stacks(args.root, bands)
    else:
        stacks = find_file_stacks(args.root)
    settings = {'bands': bands, 'size': args.size, 'stride': args.stride}
    pack_stacks(stacks, args.out, full_scale=args.full_scale, **settings)
    shards = SceneShards(args.out)
    places = shards.places()
    print(f'{len(shards)} scenes of {len(places)} places, {args.size} pixels: {args.out}')
    print(f'Next: --cfg-options packed={args.out} scene_size={args.size}')


if __name__ == '__main__':
    sys.exit(guarded(main))
