# shellcheck shell=sh
# Functions of all hooks; each hook sources this file. The agent keeps 2,048 characters of output: short lines, UTF-8.

# The agent sets no PATH of its own, and the aws program is often in /usr/local/bin.
PATH="${PATH:-}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
export PATH LC_ALL=C.UTF-8

BUNDLE_DIR=$(cd "$HOOKS_DIR/../.." && pwd)
. "$HOOKS_DIR/worker.env"

say() {
    printf '%s\n' "$*"
}

fail() {
    say "$*"
    exit 1
}

# has_unit: whether systemd runs on this machine and knows the worker's unit.
has_unit() {
    [ -n "$UNIT" ] && command -v systemctl >/dev/null 2>&1 && systemctl cat "$UNIT" >/dev/null 2>&1
}

# require_unit: false if UNIT is empty; fails if it names a unit that this machine does not have. The old process would
# run on while everything says that the new version is here.
require_unit() {
    [ -n "$UNIT" ] || return 1
    has_unit || fail "no unit $UNIT here, so nothing runs this revision: set UNIT in worker.env, or UNIT= for none"
}

# revision_of DIRECTORY KEY: one value of the directory's REVISION file; empty without that file.
revision_of() {
    [ -r "$1/REVISION" ] && sed -n "s/^$2=//p" "$1/REVISION" | head -n 1
}

# same_revision: whether APP_DIR contains this deployment's revision.
same_revision() {
    [ -r "$BUNDLE_DIR/REVISION" ] && [ -r "$APP_DIR/REVISION" ] &&
        [ "$(cat "$BUNDLE_DIR/REVISION")" = "$(cat "$APP_DIR/REVISION")" ]
}

# short: the output that the agent can keep; half a UTF-8 character would lose the whole log.
short() {
    tr -cd '\11\12\40-\176' | cut -c 1-200 | tail -n 8
}
