#!/bin/bash
# Shows the main job: three PostgreSQL servers and a witness survive a killed and a cut-off primary.
# From a fresh clone on Debian 12, as root or not: ./demo.sh [--keep] [--runs N]
set -euo pipefail
cd "$(dirname "$0")"

for word in "$@"; do
    case $word in -h|--help) exec /usr/bin/python3 tests/lab/demo.py --help ;; esac
done

# Quiet unless something goes wrong: what it built is not the point here.
quietly() {
    local what=$1 log
    shift
    log=$(mktemp)
    printf '%s ... ' "$what"
    if "$@" >"$log" 2>&1 </dev/null; then
        echo 'done'
        rm -f "$log"
    else
        echo failed
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
}

tests/tools/deps.sh
quietly "configuring" cmake --preset release
quietly "building (some minutes the first time)" cmake --build --preset release --target repld replctl
echo
REPLD_BUILD=$PWD/build/release exec /usr/bin/python3 -B tests/lab/demo.py "$@"
