#!/bin/sh
# The gate in any CI: sh deploy/ci/gate.sh PROFILE. Ends with the gate's exit code: 0 pass, 1 fail,
# 2 usage or set-up, 3 inconclusive. Keep `reports/` as an artifact, `.hologram/` between runs.
set -eu
HOLOGRAM_PROFILE=${1:?which profile: pr, main, nightly or dev}
export HOLOGRAM_PROFILE
echo /.venv/ >> .git/info/exclude # not part of the tree that is judged
python3 -m venv .venv
.venv/bin/python -m pip install --quiet "${HOLOGRAM_DAGSTER:-.}"
code=0
.venv/bin/hologram gate || code=$?
if [ -n "$(find reports/e2e -name events.jsonl -size +5242879c)" ]; then
  echo "reports/e2e/events.jsonl is larger than 5 MiB" >&2
  [ "$code" != 0 ] || code=1
fi
exit "$code"
