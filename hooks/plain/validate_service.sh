#!/bin/sh
# Passes only if the worker runs this revision, then tags the instance. Tagging comes last: a tag shows the running
# version, not an attempted one.
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"
. "$HOOKS_DIR/tagging.sh"

main_pid() {
    systemctl show --property=MainPID "$UNIT" | sed 's/^MainPID=//'
}

# stays_up: the unit is active, and is still the same process after SETTLE_S.
stays_up() {
    systemctl is-active --quiet "$UNIT" || return 1
    pid=$(main_pid)
    sleep "$SETTLE_S"
    systemctl is-active --quiet "$UNIT" && [ "$(main_pid)" = "$pid" ]
}

same_revision || fail "$APP_DIR does not hold this revision"
proof=process
if ! require_unit; then
    proof=files
    say "UNIT is empty: only the installed files were checked"
elif stays_up; then
    say "$UNIT runs, pid $pid"
else
    systemctl status --no-pager --lines=5 "$UNIT" 2>&1 | short || true
    fail "$UNIT does not stay up"
fi

version=$(revision_of "$APP_DIR" version)
say "this worker runs $version"
# The release also tags workers that succeed, so a worker that cannot tag itself is no failure.
if ! tag_instance deployctl:version "$version" \
    deployctl:group "$DEPLOYMENT_GROUP_NAME" \
    deployctl:deployed-at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    deployctl:proof "$proof $version"; then
    say "this worker could not tag itself; a running release tags it"
fi
