#!/bin/sh
# Installs the servers that the prediction stores are tried against, and strace, which shows what a commit has the disk
# keep, from Debian's or Ubuntu's packages, where they are not there yet: `sh requirements/servers.sh`. Nothing is
# started; the tests start servers of their own.
set -eu
missing=
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing=postgresql
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null 2>&1 || {
    echo "lockgate: install$(printf ' %s' $missing) with this system's package manager" >&2
    exit 2
}
root=
[ "$(id -u)" = 0 ] || root=sudo
echo "lockgate: installing $missing" >&2
$root apt-get -qq update
# shellcheck disable=SC2086 # names
DEBIAN_FRONTEND=noninteractive $root apt-get -qq install --yes --no-install-recommends $missing >/dev/null
