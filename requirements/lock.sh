#!/bin/sh
# Resolves every lock in this folder: exact versions with hashes, no addresses, for all platforms at once.
# dev.txt comes first and constrains metaflow.txt, so that what is tested is what runs; oldest.txt follows it but for
# Metaflow, whose oldest version a nightly test tries; outerbounds.txt stands
# alone, as following dev.txt would take it back to an older Metaflow. Pins that still fit are kept, and arguments
# go to uv: `sh requirements/lock.sh --upgrade` takes the newest.
set -eu
cd "$(dirname "$0")/.."
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
uv=$(command -v uv || command -v .venv/bin/uv) || {
    echo 'no uv found: install it, or bootstrap one with `make setup`' >&2
    exit 2
}

resolve() {
    name=$1
    shift
    "$uv" pip compile --universal --generate-hashes --no-header --no-annotate --quiet \
        --python-version 3.11 --output-file "requirements/$name.txt" "$@"
    echo "requirements/$name.txt: $(grep -c == "requirements/$name.txt") packages"
}

all='--extra pipeline --extra stores --extra github' # what `make setup` installs, beside one of the two Metaflows
resolve dev pyproject.toml $all --extra metaflow --group test --group lint "$@"
resolve mutate pyproject.toml $all --extra metaflow --group test --group mutate --constraints requirements/dev.txt "$@"
resolve metaflow pyproject.toml $all --extra metaflow --constraints requirements/dev.txt "$@"
grep -v '^metaflow==' requirements/dev.txt | grep -o '^[a-z0-9._-]*==[^\\]*' >requirements/.newest
resolve oldest pyproject.toml --extra log --extra metaflow --group oldest --constraints requirements/.newest "$@"
rm requirements/.newest
resolve outerbounds pyproject.toml $all --extra outerbounds "$@"
resolve data --group data "$@"
resolve core pyproject.toml --constraints requirements/dev.txt "$@"
resolve comment pyproject.toml --extra github --constraints requirements/dev.txt "$@"
resolve build requirements/build.in "$@"
resolve uv requirements/uv.in "$@"
