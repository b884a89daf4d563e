#!/bin/sh
# Ship what is pending, for cron: with nothing to do it says nothing, else it prints deploy's report.
#
#   deploy.sh /etc/maxwell-db/settings
#
# The file sets MAXWELL_HOME (the folder with yoyo.ini or sql/), DATABASE_URL, MAXWELL_DB_BACKUP_DIR, and, as wanted,
# MAXWELL_KEEP (how many backups stay; 14), MAXWELL_DB_METRICS and any other MAXWELL_DB_ variable. Its mode should be
# 0600 where DATABASE_URL has a password. The exit code is deploy's.

set -u

settings=${1:?usage: deploy.sh SETTINGS, with its whole path}
set -a
. "$settings" || exit 2
set +a
cd "$MAXWELL_HOME" || exit 2

report=$(maxwell-db deploy 2>&1)
code=$?

case $code:$report in
0:"Nothing to do"*) exit 0 ;;
esac
printf '%s\n' "$report"

# Old backups go only after a deploy that went well, and has made a new one.
if [ "$code" -eq 0 ]; then
    maxwell-db --quiet backups --keep "${MAXWELL_KEEP:-14}" --yes ||
        echo "deploy.sh: the deploy went well, but old backups were not removed" >&2
fi
exit "$code"
