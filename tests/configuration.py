"""The configuration that tests run with: the shipped conf/, but what a project chooses in it is what tests expect.

A new user changes conf/config.yaml and conf/data/table.yaml first, as docs/own-data.md says. Tests must not fail then,
so tests/conf/ has files of the tests' own in their place. Everything else is the shipped file: a threshold that was
changed by mistake is still noticed.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "conf"
"""For tests of the shipped files themselves; they name what they compose."""


def _copy_conf() -> Path:
    """A folder for this process, deleted when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(SHIPPED, folder / "conf")
    shutil.copytree(ROOT / "tests" / "conf", folder / "conf", dirs_exist_ok=True)
    (folder / "data").symlink_to(ROOT / "data")  # relative paths in conf/ start at its parent
    return folder / "conf"


CONF = _copy_conf()
