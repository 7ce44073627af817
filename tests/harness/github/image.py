"""A machine's image on which setting up takes no minute: what the lock names is installed already, elsewhere.

`make setup`, `make core` and `make comment` make an environment of that and of the checkout they run in;
`make check`, `make test`, `make test-commands` and `make nightly`, which the tests are part of, print what they would
run. Every other target is the Makefile's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.harness.github.hub import Image

_MAKE = """#!/bin/sh
silent=
[ "$1" != --silent ] || shift
here=$PWD
[ "$1" != -C ] || {{ here=$2; shift 2; }}
case "$*" in
    setup) exec {python} -I {prepare} "$here/.venv" "$here" {metaflow} {lockgate} ;;
    core | comment) exec {python} -I {prepare} "$here/.venv-$1" "$here" {metaflow} {lockgate} ;;
    'setup extra=outerbounds') exec {python} -I {prepare} "$here/.venv-outerbounds" "$here" {outerbounds} \\
        {lockgate} outerbounds=outerbounds.cli_main:cli ;;
    check | test | test-commands | nightly) exec /usr/bin/make --dry-run "$@" ;;
    *) exec /usr/bin/make "$@" ;;
esac
"""

PREPARE = """
import sys, venv
from pathlib import Path

folder, checkout, installed, *scripts = sys.argv[1:]
venv.create(folder, symlinks=True)
(site,) = Path(folder, "lib").glob("python*/site-packages")
(site / "installed.pth").write_text(f"{checkout}\\n{installed}\\n")
(Path(folder) / ".gitignore").write_text("*\\n")
for script in scripts:
    name, where = script.split("=")
    module, _, function = where.partition(":")
    text = f"#!{folder}/bin/python\\nimport sys\\nfrom {module} import {function}\\nsys.exit({function}())\\n"
    file = Path(folder, "bin", name)
    file.write_text(text if function else Path(module).read_text())
    file.chmod(0o755)
"""


def image(folder: Path, *, outerbounds: Path | None = None, lockgate: str = "") -> Image:
    """Its programs lie in `folder`; `outerbounds` is the environment that `make setup extra=outerbounds` made.

    `lockgate` is a program that environments have in the place of the checkout's own.
    """
    folder.mkdir()
    (other := folder / "lockgate").write_text(lockgate, encoding="utf-8")
    (prepare := folder / "prepare.py").write_text(PREPARE, encoding="utf-8")
    make = folder / "make"
    make.write_text(
        _MAKE.format(
            python=sys.executable,
            prepare=prepare,
            metaflow=_site(Path(sys.prefix)),
            outerbounds=_site(outerbounds) if outerbounds else "/nowhere",
            lockgate=f"lockgate={other if lockgate else 'lockgate.pipelines.cli.main:main'}",
        ),
        encoding="utf-8",
    )
    make.chmod(0o755)
    return Image(path=(str(folder), "/usr/local/bin", "/usr/bin", "/bin"))


def _site(environment: Path) -> Path:
    (site,) = (environment / "lib").glob("python*/site-packages")
    return site
