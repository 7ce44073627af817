"""The promotion log of the project that conf/ names, as commands open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gates.log import Log


def project_log(*, writing: bool = False) -> Log:
    """The log, on the object store that Metaflow is configured with; to be appended to where `writing`."""
    from gates import runs
    from pipelines.promotion_log import open_log
    from pipelines.settings import compose

    runs.check_installation()
    return open_log(compose().settings, writing=writing)
