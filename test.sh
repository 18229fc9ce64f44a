#!/bin/bash
# Builds everything and runs every test. From a fresh clone on Debian 12: ./test.sh
# Arguments go to ctest, e.g. ./test.sh -L unit
set -euo pipefail
cd "$(dirname "$0")"

tests/tools/deps.sh
cmake --preset release
cmake --build --preset release

echo
status=0
ctest --test-dir build/release --output-on-failure "$@" || status=$?
exit $status
