#!/usr/bin/env bash
# Take every migration up, down and up again on scratch databases; the steps go into the artifact as JUnit's test cases.
set -uo pipefail

cd "$GITHUB_WORKSPACE" || exit 2
mkdir -p "$RUNNER_TEMP/maxwell-db/artifact"
arguments=(--sql "$INPUT_SQL" --rows "$INPUT_ROWS" --junit "$RUNNER_TEMP/maxwell-db/artifact/rehearsal.xml")
[[ -n $INPUT_DIALECT ]] && arguments+=(--dialect "$INPUT_DIALECT")
# By the environment, since it may hold a password.
[[ -n $INPUT_SCRATCH ]] && export MAXWELL_DB_SCRATCH=$INPUT_SCRATCH

told=$(maxwell-db rehearse "$INPUT_TARGET" "${arguments[@]}")
code=$?
[[ -n $told ]] && echo "$told"
if ((code == 0)); then
    rehearsal=passed
else
    rehearsal=failed
    echo "::error title=maxwell-db rehearse::The rehearsal failed; the log of this step says where."
fi
echo "rehearsal=$rehearsal" >>"$GITHUB_OUTPUT"
{
    echo "**maxwell-db rehearse** $rehearsal"
    echo
    # Indented, so that nothing in it is Markdown.
    while IFS= read -r line; do
        echo "    $line"
    done <<<"$told"
    echo
} >>"$GITHUB_STEP_SUMMARY"
exit "$code"
