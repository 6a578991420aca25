"""Write the bill of materials of a release: python tools/misc/write_sbom.py --out dist/sbom.json"""

from __future__ import annotations

import argparse
import sys

from rsmm.apis.cli import guarded


def main() -> None:
    """Parse arguments, write, say how many parts there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', required=True, help='CycloneDX JSON file')
    parser.add_argument('--extras', nargs='*', default=[], help='of rsmm, such as tests')
    args = parser.parse_args()
    from rsmm.utils.bill import write_bill

    print(f'{write_bill(args.out, extras=args.extras)} parts: {args.out}')


if __name__ == '__main__':
    sys.exit(guarded(main))
