"""Who owns each group of the configuration."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout. In an installed wheel and in a pod this is the package itself, which has no conf/."""

CONF_VARIABLE = "LOCKGATE_CONF"
"""Environment variable that names the directory conf/ to take, wherever the command runs."""

GUARDED_GROUPS = ("gate", "data", "platform", "store")
"""Groups that the owners of the gates own. A run that overrides one is judged but never logged."""

AUTHOR_GROUPS = ("model", "train", "experiment")
"""Groups that the author of a challenger owns. Their files may not change anything else."""
