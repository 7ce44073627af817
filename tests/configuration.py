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
CLASS_CHECKS = """\
  auc_floor: {kind: threshold, metric: auc, min: 0.55, decide: bound}
  log_loss:  {kind: improvement, metric: log_loss, margin: 0}
  leakage:   {kind: leakage}
"""
"""Gates for a table of two classes, on which a few hundred rows decide."""

SHIPPED = ROOT / "conf"
"""For tests of the shipped files themselves; they name what they compose."""


def write_policy(checks: str, *, looks: int) -> str:
    """The text of a policy for a table of a test's own, with these lines of gates."""
    return f"""
if_no_champion: absolute_only
confidence: 0.95
clusters: if_present
min_clusters: 15
min_class_rows: 20
serial_dependence: if_ordered
schedule: {{kind: fixed, looks: {looks}}}
disclose: all
valid_for: 90d
checks:
{checks}"""


def _copy_conf() -> Path:
    """A folder for this process, deleted when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(SHIPPED, folder / "conf")
    shutil.copytree(ROOT / "tests" / "conf", folder / "conf", dirs_exist_ok=True)
    (folder / "data").symlink_to(ROOT / "data")  # relative paths in conf/ start at its parent
    return folder / "conf"


CONF = _copy_conf()
