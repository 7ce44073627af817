"""The promotion log: numbered, create-only entries on the object store that Metaflow is configured with."""

from gates.log.entry import Entry
from gates.log.log import Log

__all__ = ["Entry", "Log"]
