"""Where the configuration lies, and whose each group of it is."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; where the project is installed from a wheel or runs in a pod, the package itself."""


GUARDED_GROUPS = ("gate", "data", "platform", "store")
"""Groups that belong to the owners of the gates: a run that overrides one is judged, never logged."""

AUTHOR_GROUPS = ("model", "train", "experiment")
"""Groups that belong to the author of a challenger: no file of theirs changes anything else."""


def conf_dir() -> Path:
    """The configuration: conf/ of this project, or the directory that LOCKGATE_CONF names."""
    return Path(os.environ.get("LOCKGATE_CONF") or ROOT / "conf").resolve()
