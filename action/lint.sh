#!/usr/bin/env bash
# Review the migrations; GitHub shows the findings beside their lines.
set -uo pipefail

cd "$GITHUB_WORKSPACE" || exit 2
arguments=(--sql "$INPUT_SQL" --squawk "$INPUT_SQUAWK" --format github)
[[ $INPUT_STRICT == true ]] && arguments+=(--strict)
[[ -n $INPUT_SINCE ]] && arguments+=(--since "$INPUT_SINCE")
[[ -n $INPUT_DIALECT ]] && arguments+=(--dialect "$INPUT_DIALECT")
for rule in $INPUT_IGNORE; do
    arguments+=(--ignore "$rule")
done

found=$(maxwell-db lint "${arguments[@]}")
code=$?
[[ -n $found ]] && echo "$found"
errors=$(grep -c '^::error ' <<<"$found")
warnings=$(grep -c '^::warning ' <<<"$found")
{
    echo "errors=$errors"
    echo "warnings=$warnings"
} >>"$GITHUB_OUTPUT"
if ((code > 1)); then
    echo "::error title=maxwell-db lint::It could not be done; the log of this step says why."
    echo "**maxwell-db lint** could not be done." >>"$GITHUB_STEP_SUMMARY"
else
    echo "**maxwell-db lint**: $errors errors, $warnings warnings" >>"$GITHUB_STEP_SUMMARY"
fi
exit "$code"
