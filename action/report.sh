#!/usr/bin/env bash
# The reviewer's page: HTML into the artifact, Markdown into the job's summary.
set -euo pipefail

cd "$GITHUB_WORKSPACE"
home=$RUNNER_TEMP/maxwell-db
mkdir -p "$home/artifact"
[[ -n $INPUT_SCRATCH ]] && export MAXWELL_DB_SCRATCH=$INPUT_SCRATCH

# By the environment, since it may hold a password.
export DATABASE_URL=$INPUT_DATABASE
if [[ -z $DATABASE_URL ]]; then
    tree=$INPUT_SQL
    [[ -d $tree/sqlite ]] && tree=$tree/sqlite
    if [[ $INPUT_DIALECT == postgres || (! -d $INPUT_SQL/sqlite && -d $INPUT_SQL/postgres) ]]; then
        echo "::notice title=maxwell-db report::There are no migrations for SQLite, so name a database for the report."
        exit 0
    fi
    # A database that has what is there already, so that what this change brings is pending.
    newest=base
    if [[ -n $INPUT_SINCE ]]; then
        ids=$(git ls-tree --name-only "$INPUT_SINCE" -- "$tree/" | sed -n '/\.rollback\.sql$/d; s|.*/||; s|\.sql$||p')
        [[ -n $ids ]] && newest=$(LC_ALL=C sort <<<"$ids" | tail -n 1)
    fi
    rm -f "$home/report.db"
    export DATABASE_URL=sqlite:///$home/report.db
    maxwell-db --sql "$INPUT_SQL" --quiet apply "$newest"
fi

maxwell-db --sql "$INPUT_SQL" --quiet report -o "$home/artifact/report.html"
maxwell-db --sql "$INPUT_SQL" --quiet report -o "$home/artifact/report.md"
echo "report=$home/artifact/report.html" >>"$GITHUB_OUTPUT"
# GitHub takes a megabyte.
if (($(wc -c <"$home/artifact/report.md") < 1000000)); then
    cat "$home/artifact/report.md" >>"$GITHUB_STEP_SUMMARY"
else
    echo "**maxwell-db report**: too long for this page; it is in the artifact." >>"$GITHUB_STEP_SUMMARY"
fi
