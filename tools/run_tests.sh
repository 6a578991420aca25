#!/usr/bin/env bash
# Run the tests: bash tools/run_tests.sh [pytest options]
# Makes or reuses .venv and installs what the tests need.
set -euo pipefail
. "$(dirname "$0")/_venv.sh"
use_venv tests
say "Running the tests"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # the tests are spread over the cores instead
exec "$PYTHON" -m pytest -n "${RSMM_TEST_PROCESSES:-2}" "$@"
