"""Train: python tools/train.py CONFIG [--work-dir DIR] [--resume [CKPT]] [--amp] ..."""

import sys

from rsmm.apis.cli import train_main

if __name__ == '__main__':
    sys.exit(train_main())
