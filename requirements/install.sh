#!/bin/sh
# Installs one lock, and the project in editable form, into a virtual environment:
#     PYTHON=python3 sh requirements/install.sh metaflow .venv
# With uv: the one on PATH, else one from requirements/uv.txt; with pip where uv does not work. Both check hashes.
set -eu
cd "$(dirname "$0")/.."
lock=$1 venv=$2
base=${PYTHON:-python3}
python=$venv/bin/python
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-1}" # company certificates; new and old name

say() { echo "lockgate: $*" >&2; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

ensure_pip() { "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null 2>&1; }

supported "$base" || {
    say "Python 3.11, 3.12 or 3.13 is needed, and $base is $("$base" --version 2>&1 || true); name another: make setup PYTHON=python3.12"
    exit 2
}

if uv=$(command -v uv) && "$uv" --version >/dev/null 2>&1; then
    supported "$python" || { rm -rf "$venv" && "$uv" venv --quiet --python "$base" "$venv"; }
else
    supported "$python" || { rm -rf "$venv" && "$base" -m venv "$venv"; } || {
        say "$base cannot create a virtual environment; on Debian and Ubuntu: apt install python3-venv"
        exit 2
    }
    uv=$venv/bin/uv
    "$uv" --version >/dev/null 2>&1 || {
        ensure_pip && "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
    } || uv=
fi

# build.txt comes first: one dependency has no wheel, and is built, like the project, with this very setuptools.
with_uv() {
    [ -n "$uv" ] || return 1
    set -- "$uv" pip install --quiet --python "$python"
    "$@" --require-hashes -r requirements/build.txt &&
        "$@" --require-hashes --no-build-isolation -r "requirements/$lock.txt" &&
        "$@" --no-build-isolation --no-deps --editable .
}

with_pip() {
    ensure_pip || say "there is no pip in $venv; remove it and try again"
    set -- "$python" -m pip install --quiet --disable-pip-version-check
    "$@" --require-hashes -r requirements/build.txt &&
        "$@" --require-hashes --no-build-isolation --use-pep517 -r "requirements/$lock.txt" &&
        "$@" --no-build-isolation --no-deps --editable .
}

say "installing requirements/$lock.txt into $venv, which takes seconds, or longer where packages must be downloaded"
with_uv || {
    say 'uv cannot install here; trying pip, which takes a minute or two'
    with_pip
}
echo '*' >"$venv/.gitignore"
touch "$venv/.$lock"
[ "$lock" != dev ] || touch "$venv/.metaflow" # dev.txt contains metaflow.txt
