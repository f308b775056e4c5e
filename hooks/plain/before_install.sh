#!/bin/sh
# Checks the free disk space before Install removes the old files.
set -eu
HOOKS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$HOOKS_DIR/common.sh"

# The nearest existing folder above APP_DIR is on the same disk.
place=$APP_DIR
while [ ! -d "$place" ]; do
    place=$(dirname "$place")
done
needed_kb=$(du -sk "$BUNDLE_DIR" | cut -f 1)
free_kb=$(df -Pk "$place" | awk 'NR == 2 { print $4 }')

if [ "$free_kb" -lt "$needed_kb" ]; then
    fail "no room in $place: $free_kb KB free, $needed_kb KB needed"
fi
say "room in $place: $free_kb KB free, $needed_kb KB needed"
