#!/bin/sh
# Stops the worker. CodeDeploy runs this script from the *previous* revision: a failure here would fail every later
# deployment, so this script never fails. ApplicationStart restarts the unit in any case.
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"

if ! has_unit; then
    say "no unit ${UNIT:-configured}: nothing to stop"
elif systemctl stop "$UNIT"; then
    say "stopped $UNIT"
else
    say "could not stop $UNIT (exit $?); ApplicationStart restarts it"
fi
