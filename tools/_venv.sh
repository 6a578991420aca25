# Shared by quickstart.sh and run_tests.sh: makes or reuses .venv in the checkout.
#
#   use_venv EXTRA...   EXTRA is none, or "tests" and/or "docs"
#
# Sets $PYTHON. Nothing is installed when the requirements have not changed since the last call.

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }

find_python() {
    local candidate
    for candidate in "${RSMM_PYTHON:-}" python3.11 python3.12 python3.10 python3 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "rsmm needs Python 3.10, 3.11 or 3.12 with the venv module; none was found." >&2
    echo "Install one, or name it: RSMM_PYTHON=/path/to/python $0" >&2
    return 1
}

use_venv() {
    local root stamp wanted extra base
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
    cd "$root"
    PYTHON="$root/.venv/bin/python"
    if ! "$PYTHON" -c '' 2>/dev/null; then
        base="$(find_python)"
        say "Making .venv with $("$base" --version)"
        "$base" -m venv --clear .venv
    fi
    stamp=".venv/rsmm-installed"
    for extra in runtime "$@"; do
        wanted="$(cat setup.py pyproject.toml "requirements/$extra.txt" requirements/constraints.txt | cksum)"
        if [ "$(cat "$stamp-$extra" 2>/dev/null)" = "$wanted" ]; then
            continue
        fi
        say "Installing requirements/$extra.txt (a few minutes the first time; PyTorch is large)"
        if [ "$extra" = runtime ]; then
            install_runtime
        else
            "$PYTHON" -m pip install --quiet -r "requirements/$extra.txt" -c requirements/constraints.txt
        fi
        echo "$wanted" >"$stamp-$extra"
    done
    say "Environment ready: $PYTHON"
}

install_runtime() {
    # mmcv builds in seconds without its compiled ops, as long as its build does not see torch. A
    # wheel that pip cached beside another torch would import and then crash: do not use the cache.
    "$PYTHON" -m pip install --quiet --no-cache-dir onedl-mmcv -c requirements/constraints.txt
    "$PYTHON" -m pip install --quiet -r requirements/runtime.txt -c requirements/constraints.txt
    "$PYTHON" -m pip install --quiet --no-deps -e .
}
