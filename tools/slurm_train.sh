#!/usr/bin/env bash
# Train under Slurm, through pre-emption and time limits: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5] tools/slurm_train.sh PARTITION JOB_NAME CONFIG [train.py options]
set -eu
if [ "$#" -lt 3 ]; then
    echo "usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=...] $0 PARTITION JOB_NAME CONFIG [train.py options]" >&2
    exit 2
fi
partition="$1" job="$2" config="$3"
shift 3
gpus="${GPUS:-8}"
per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
# A job that was put back into the queue goes on where it stopped; a new one has nothing to go on from.
more=()
[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && more=(--resume)
while :; do
    status=0
    # SIGUSR1 two minutes before the end, SIGTERM at pre-emption: train.py saves and ends with 75.
    # The first process to end gives the others a minute.
    # shellcheck disable=SC2086 - SRUN_ARGS is a list of options
    srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" \
        --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=0 --wait=60 --signal="${PAUSE_SIGNAL:-USR1@120}" \
        ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" \
        --launcher slurm "$@" "${more[@]}" || status=$?
    [ "$status" -eq 75 ] || exit "$status"
    if [ -n "${SLURM_JOB_ID:-}" ] && scontrol requeue "$SLURM_JOB_ID"; then
        exit 75 # the batch job starts again with SLURM_RESTART_COUNT set
    fi
    more=(--resume) # no batch job: a new srun waits for its turn
done
