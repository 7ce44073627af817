"""The promotion log: numbered, create-only, signed entries on the object store that Metaflow is configured with."""

from gates.log.entry import Entry
from gates.log.log import SKEW, Log
from gates.log.signing import Keyring, Signer

__all__ = ["SKEW", "Entry", "Keyring", "Log", "Signer"]
