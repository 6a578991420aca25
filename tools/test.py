"""Test: python tools/test.py CONFIG CHECKPOINT [--out FILE] [--show-dir DIR] [--tta] ..."""

import sys

from rsmm.apis.cli import test_main

if __name__ == '__main__':
    sys.exit(test_main())
