"""Print metafile entries for new experiments: python tools/misc/draft_metafile.py configs/moco"""

import sys

from rsmm.apis.metafile import draft_main

if __name__ == '__main__':
    sys.exit(draft_main())
