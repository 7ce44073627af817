"""The promotion log: numbered, create-only, signed entries on the object store that Metaflow is configured with."""

from lockgate.gates.log.entry import LogEntry
from lockgate.gates.log.log import Log
from lockgate.gates.log.signing import Keyring, Signer

__all__ = ["Keyring", "Log", "LogEntry", "Signer"]
