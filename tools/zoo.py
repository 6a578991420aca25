"""The model zoo: python tools/zoo.py list | show NAME | download NAME | verify | card NAME"""

import sys

from rsmm.apis.zoo_cli import zoo_main

if __name__ == '__main__':
    sys.exit(zoo_main())
