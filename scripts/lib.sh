# Sourced by the scripts beside it: a virtual environment of the checkout's own, made once.
# Sets $PYTHON to its interpreter. BINSTALL_PYTHON names another Python to build it from.
set -eu
# Hundreds of tests start the program as a process of its own: each would compile it anew.
unset PYTHONDONTWRITEBYTECODE
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$here"

base_python() {
    for name in "${BINSTALL_PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
        [ -n "$name" ] || continue
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "binstall needs Python 3.11 or newer; set BINSTALL_PYTHON to one" >&2
    exit 1
}

# need WHAT FILES...: install once per content of FILES; WHAT is what pip is told.
ready() {
    name=$1 stamp_input=$2
    shift 2
    if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
        rm -rf .venv
        "$(base_python)" -m venv .venv
    fi
    PYTHON=$here/.venv/bin/python
    now=$(cat $stamp_input | cksum)
    if [ "$(cat ".venv/ready-$name" 2>/dev/null || true)" != "$now" ]; then
        echo "setting up .venv for $name (once) ..." >&2
        "$PYTHON" -m pip install --quiet --disable-pip-version-check "$@" >&2
        echo "$now" >".venv/ready-$name"
    fi
}
