"""Pack dated scenes: python tools/dataset_converters/pack_scenes.py ROOT --layout caco --out DIR

All bands are brought to one grid of --size pixels. An interrupted run goes on where it stopped.
Afterwards train with --cfg-options packed=DIR.
"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded

LAYOUTS = {'seco': 'SeCoDataset', 'caco': 'CACoDataset'}


def main() -> None:
    """Parse arguments, pack, say how to use the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', help='folder with one folder per place')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--layout', choices=LAYOUTS, default='seco')
    parser.add_argument('--size', type=int, default=64, help='pixels per side (264: native 10 m)')
    parser.add_argument('--bands', default='seco', help='s2-rgb, or the name of a band order')
    parser.add_argument(
        '--resample',
        choices=('auto', 'bilinear'),
        default='auto',
        help="as the config's LoadScenes has it",
    )
    parser.add_argument('--scenes-per-shard', type=int, default=1024)
    parser.add_argument('--skip-bad', action='store_true', help='leave out what does not fit')
    args = parser.parse_args()
    from rsmm.datasets.packing import pack_scenes
    from rsmm.datasets.scene_shards import SceneShards
    from rsmm.registry import DATASETS

    dataset = DATASETS.build(
        {
            'type': LAYOUTS[args.layout],
            'data_root': args.root,
            'mode': 'moco',
            'bands': args.bands,
            'on_bad': 'skip' if args.skip_bad else 'error',
        }
    )
    written = pack_scenes(
        dataset,
        args.out,
        size=args.size,
        resample=args.resample,
        scenes_per_shard=args.scenes_per_shard,
    )
    shards = SceneShards(args.out)
    print(f'{len(shards)} scenes, bands {", ".join(shards.bands)}, {args.size} pixels: {args.out}')
    print(f'{written} shards written now. Next: --cfg-options packed={args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
