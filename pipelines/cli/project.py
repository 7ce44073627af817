"""The promotion log of the project that conf/ names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gates.log import Log


def project_log() -> Log:
    """The log, on the object store that Metaflow is configured with."""
    from gates import runs
    from gates.log import Log
    from pipelines.settings import compose

    runs.check_installation()
    project = compose().settings.data.project
    return Log(runs.log_store(project), project=project)
