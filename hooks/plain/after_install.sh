#!/bin/sh
# Prepares the installed files. Add what your application needs before it starts: a virtualenv, a migration,
# ownership of its files.
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"

if ! same_revision; then
    fail "$APP_DIR does not hold this revision: is APP_DIR the destination in appspec.yml?"
fi
if has_unit; then
    systemctl daemon-reload
fi
say "installed $(revision_of "$APP_DIR" version) in $APP_DIR"
