#!/bin/sh
# Stops the worker. This runs from the *previous* revision, so a fault in here would fail every later
# deployment: it never fails. ApplicationStart restarts the unit in any case.
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"

if ! has_unit; then
    say "no unit $UNIT: nothing to stop"
elif systemctl stop "$UNIT"; then
    say "stopped $UNIT"
else
    say "could not stop $UNIT (exit $?); ApplicationStart restarts it"
fi
