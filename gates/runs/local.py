"""Metaflow's local datastore, the folder `.metaflow`: one for a whole project, whatever the working directory is.

Metaflow itself looks for it in the working directory and in those above it, and makes one where there is none. So two
folders of a project could have two of them, with other runs and another promotion log in each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lockgate.gates.errors import RunError
from lockgate.gates.runs.datastore import datastore
from lockgate.gates.runs.metaflow_api import read_setting

LOCAL_ROOT_VARIABLE = "METAFLOW_DATASTORE_SYSROOT_LOCAL"
"""Metaflow's own variable for the folder that has `.metaflow`. Whoever sets it has chosen."""

_DATASTORE_FOLDER = ".metaflow"


def find_local_home(folder: Path) -> Path:
    """The folder whose `.metaflow` a flow uses that is started in `folder`: the nearest at or above it, or itself."""
    return next((place for place in (folder, *folder.parents) if (place / _DATASTORE_FOLDER).is_dir()), folder)


def find_local_datastore(root: Path) -> Path:
    """The local datastore of the project in `root`, which need not exist yet."""
    return find_local_home(root) / _DATASTORE_FOLDER


def share_datastore(root: Path) -> None:
    """Have Metaflow use the local datastore of the project in `root`, in this process and those that it starts.

    Nothing changes where Metaflow is configured with a place of its own, or is imported already.
    """
    if "metaflow.metaflow_config" not in sys.modules and not _is_configured():
        os.environ[LOCAL_ROOT_VARIABLE] = str(find_local_home(root))


def require_shared_datastore(root: Path) -> None:
    """Raise RunError if the Metaflow of this process keeps runs where nobody in the project in `root` would look.

    So it is in a flow that was started by hand in another folder, where Metaflow has made a datastore.
    """
    kind, used = datastore()
    if kind != "local" or read_setting("DATASTORE_SYSROOT_LOCAL") is not None:
        return
    shared = find_local_datastore(root)
    if Path(used).resolve() != shared.resolve():
        raise RunError(
            "Metaflow keeps the runs of this process outside of the project's datastore",
            expected=str(shared),
            where=used,
            hint=f"start it in {shared.parent}, or anywhere in the project with {LOCAL_ROOT_VARIABLE}={shared.parent}",
        )


def describe_missing_run(pathspec: str) -> tuple[str, str]:
    """Where a run was looked for that is not there, and where it is if it was started in the wrong folder; or empty."""
    kind, used = datastore()
    if kind != "local":
        return "", ""
    stray = find_local_datastore(Path.cwd())
    if stray.resolve() == Path(used).resolve() or not (stray / pathspec).is_dir():
        return f"a run in {used}", ""
    return f"a run in {used}", f"it is in {stray}, as its flow was started there; start it in {Path(used).parent}"


def _is_configured() -> bool:
    """Whether Metaflow has a place for local runs from its environment or its own configuration files."""
    return LOCAL_ROOT_VARIABLE in os.environ or any(LOCAL_ROOT_VARIABLE in text for text in _read_configurations())


def _read_configurations() -> Iterator[dict[str, object]]:
    """What Metaflow's configuration files say; it complains itself of one that cannot be read."""
    profile = os.environ.get("METAFLOW_PROFILE")
    home = Path(os.environ.get("METAFLOW_HOME", "~/.metaflowconfig")).expanduser()
    nearest = find_local_datastore(Path.cwd())
    for file in (nearest / "config.json", home / (f"config_{profile}.json" if profile else "config.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            yield content
