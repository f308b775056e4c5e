#!/bin/sh
# Prepares the installed files. Add what your application needs before it starts: a virtualenv, a migration,
# ownership of its files.
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"

if ! same_revision; then
    fail "$APP_DIR does not hold this revision: is APP_DIR the destination in appspec.yml?"
fi
# CodeDeploy leaves byte code of the revision before in place.
find "$APP_DIR" -xdev -type d -name __pycache__ -prune -exec rm -rf {} +
if has_unit; then
    systemctl daemon-reload
fi
say "installed $(revision_of "$APP_DIR" version) in $APP_DIR"
