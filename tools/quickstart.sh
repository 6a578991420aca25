#!/usr/bin/env bash
# From a fresh clone to a pretrained, probed, fine-tuned and tested network on toy images:
#   bash tools/quickstart.sh [--short] [--fresh]
# Makes or reuses .venv, then runs tools/quickstart.py.
set -euo pipefail
. "$(dirname "$0")/_venv.sh"
use_venv
exec "$PYTHON" tools/quickstart.py "$@"
