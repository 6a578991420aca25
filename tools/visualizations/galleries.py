"""Rows of pictures:

    python tools/visualizations/galleries.py clusters feats.npz FOLDER --out clusters.png [--k 40]
    python tools/visualizations/galleries.py events OUT/events --out events.png [--names NAME ...]

Of clusters the images nearest to each centre, of events all images in the order of time with what
changed outlined.
"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded


def main() -> None:
    """Parse arguments and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest='kind', required=True)
    clusters = parts.add_parser('clusters', help='images nearest to the centre of each cluster')
    clusters.add_argument('features', help='npz of extract_features.py')
    clusters.add_argument('folder', help='folder that it was made of')
    clusters.add_argument('--k', type=int, default=40, help='clusters')
    clusters.add_argument('--shown', type=int, default=4, help='images of each')
    events = parts.add_parser('events', help='events through time')
    events.add_argument('events', help='folder of events, OUT/events of discover.py')
    events.add_argument('--names', nargs='+', help='events to draw (default: the first)')
    events.add_argument('--num', type=int, default=12, help='how many')
    for part in (clusters, events):
        part.add_argument('--out', required=True, help='PNG to write')
    args = parser.parse_args()
    from rsmm.studies.figures.galleries import cluster_gallery, event_gallery

    if args.kind == 'clusters':
        cluster_gallery(args.features, args.folder, args.out, args.k, args.shown)
    else:
        event_gallery(args.events, args.out, args.names, args.num)
    print(args.out)


if __name__ == '__main__':
    sys.exit(guarded(main))
