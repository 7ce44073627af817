"""The promotion log: numbered, create-only, signed entries on the object store that Metaflow is configured with."""

from lockgate.gates.log.entry import Entry
from lockgate.gates.log.log import SKEW, Log
from lockgate.gates.log.signing import Keyring, Signer

__all__ = ["SKEW", "Entry", "Keyring", "Log", "Signer"]
