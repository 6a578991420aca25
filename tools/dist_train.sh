#!/usr/bin/env bash
# Train on several GPUs or CPU processes: tools/dist_train.sh CONFIG PROCESSES [train.py options]
set -eu
if [ "$#" -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [train.py options]" >&2
    exit 2
fi
here="$(dirname "$0")"
. "$here/_launch.sh"
config="$1" processes="$2"
shift 2
launch "$here/train.py" "$processes" "$config" "$@"
