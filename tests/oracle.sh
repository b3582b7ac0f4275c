#!/bin/sh
# Runs a Python oracle in the virtual environment that tests/run.sh makes (build/venv, tests/requirements*.txt), or says
# why it cannot (status 77: CTest counts the test as skipped).
#   tests/oracle.sh SCRIPT [ARG...]
set -eu
python=$(dirname -- "$0")/../build/venv/bin/python3
if [ ! -x "$python" ] || [ ! -e "$(dirname -- "$0")/../build/venv/complete" ]; then
    echo "skipped: no build/venv with tests/requirements*.txt; tests/run.sh makes it where the package index is reachable"
    exit 77
fi
exec "$python" "$@"
