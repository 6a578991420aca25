"""The tour of the README (tools/quickstart.sh makes the environment, then runs this)."""

import argparse
import sys

from rsmm.apis.cli import guarded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--short', action='store_true', help='a minute instead of several')
    parser.add_argument('--fresh', action='store_true', help='forget the results of earlier calls')
    args = parser.parse_args()
    from rsmm.studies.quickstart import FULL, SHORT, Quickstart

    tour = Quickstart(SHORT if args.short else FULL, args.fresh, lambda text: print(f'==> {text}'))
    return guarded(tour)


if __name__ == '__main__':
    sys.exit(main())
