"""Where the configuration is, and who owns each group of it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout. In an installed wheel and in a pod this is the package itself, which has no conf/."""

GUARDED_GROUPS = ("gate", "data", "platform", "store")
"""Groups that the owners of the gates own. A run that overrides one is judged but never logged."""

AUTHOR_GROUPS = ("model", "train", "experiment")
"""Groups that the author of a challenger owns. Their files may not change anything else."""


def conf_dir() -> Path:
    """The directory of the configuration: what LOCKGATE_CONF names, or else conf/ of this project. It may not exist."""
    return Path(os.environ.get("LOCKGATE_CONF") or ROOT / "conf").resolve()
