"""Strip a checkpoint to what a user needs and name it by its hash."""

import sys

from rsmm.apis.converting_cli import publish_main

if __name__ == '__main__':
    sys.exit(publish_main())
