"""Turn a checkpoint of torchvision, timm, SeCo, CACo or SACo into a backbone that rsmm loads."""

import sys

from rsmm.apis.converting_cli import convert_main

if __name__ == '__main__':
    sys.exit(convert_main())
