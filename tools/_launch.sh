# Shared by dist_train.sh and dist_test.sh: starts PROCESSES copies of a tool with torchrun
# (rsmm.engine.launch: the message of a process that fails comes last).
# One machine needs nothing else. For several, set on each machine:
#   NNODES, NODE_RANK, MASTER_ADDR and, if the default is taken, MASTER_PORT.
# Works without a GPU: the processes then talk through gloo.

launch() { # launch TOOL PROCESSES ARGUMENTS...
    local tool="$1" processes="$2"
    shift 2
    local nnodes="${NNODES:-1}" where
    if [ "$nnodes" -gt 1 ] || [ -n "${MASTER_PORT:-}" ]; then
        where=(--nnodes "$nnodes" --node_rank "${NODE_RANK:-0}"
            --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${MASTER_PORT:-29500}")
    else
        where=(--standalone) # finds a free port, so two runs on one machine do not collide
    fi
    # As many threads as there are cores for each process; torchrun alone would set one.
    if [ -z "${OMP_NUM_THREADS:-}" ]; then
        local cores
        cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo "$processes")
        export OMP_NUM_THREADS=$((cores / processes > 0 ? cores / processes : 1))
    fi
    exec "${PYTHON:-python}" -m rsmm.engine.launch "${where[@]}" \
        --nproc_per_node "$processes" "$tool" "$@" --launcher pytorch
}
