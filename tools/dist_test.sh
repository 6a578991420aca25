#!/usr/bin/env bash
# Test on several GPUs or CPU processes: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [test.py options]
set -eu
if [ "$#" -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [test.py options]" >&2
    exit 2
fi
here="$(dirname "$0")"
. "$here/_launch.sh"
config="$1" checkpoint="$2" processes="$3"
shift 3
launch "$here/test.py" "$processes" "$config" "$checkpoint" "$@"
