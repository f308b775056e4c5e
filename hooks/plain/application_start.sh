#!/bin/sh
# Starts the worker through its own unit: a process that the hook itself starts dies when the agent restarts.
# Without systemd, detach it from the hook's output, or the hook hangs until its timeout:
#   setsid ./run >/dev/null 2>&1 </dev/null &
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"

if ! require_unit; then
    say "UNIT is empty: nothing to start"
    exit 0
fi
# `restart` also replaces a process that survived ApplicationStop.
if ! systemctl restart "$UNIT"; then
    systemctl status --no-pager --lines=5 "$UNIT" 2>&1 | short || true
    fail "could not start $UNIT"
fi
say "started $UNIT"
