"""Ed25519 signatures of log entries: who signs, and whose signature counts.

Keys have OpenSSH's form: a public key is `ssh-ed25519 AAAA…` in conf/platform, a private key is a PEM file. The entry's
canonical JSON is signed in DSSE's pre-authentication encoding, so that a signature of one kind of document is never
valid for another.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from lockgate.gates.documents import decode_base64
from lockgate.gates.errors import LogError, SigningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Role = Literal["judge", "approver"]
KEY_TYPE = "ssh-ed25519"
_PAYLOAD_TYPE = b"application/vnd.lockgate.entry+json"


class Signature(BaseModel):
    """An Ed25519 signature (RFC 8032), 64 bytes in base64, and the fingerprint of its key as ssh-keygen shows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    ed25519: str


def encode_for_signing(payload: bytes) -> bytes:
    """The bytes that are signed: DSSE v1's pre-authentication encoding of the payload and its type."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE, len(payload), payload)


def fingerprint(public: Ed25519PublicKey) -> str:
    """`SHA256:…` of the key's OpenSSH form, as `ssh-keygen -l` prints it."""
    blob = base64.b64decode(public_line(public).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def public_line(public: Ed25519PublicKey) -> str:
    """The key as conf/platform lists it: `ssh-ed25519 AAAA…`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def generate_key() -> tuple[bytes, str]:
    """A new private key in OpenSSH's form (PEM, no passphrase), and the line of its public key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return pem, public_line(private.public_key())


def parse_public_key(line: str, *, where: str) -> Ed25519PublicKey:
    """The key in `line`. Raises SigningError unless it is one Ed25519 key in OpenSSH's form."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = " ".join(line.split()[:2])
        public = load_ssh_public_key(key.encode())
        decode_base64(key.rpartition(" ")[2])
    except (ValueError, UnsupportedAlgorithm) as err:
        raise SigningError(
            "not a public key", expected=f"{KEY_TYPE} AAAA…, as `lockgate keys new` prints", where=where
        ) from err
    if not isinstance(public, Ed25519PublicKey):
        raise SigningError(f"a key of type {line.split(maxsplit=1)[0][:40]}", expected=KEY_TYPE, where=where)
    return public


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs what this process writes."""

    private: Ed25519PrivateKey = field(repr=False)
    fingerprint: str

    @classmethod
    def parse(cls, pem: bytes, *, where: str) -> Signer:
        """The private key in `pem`, in OpenSSH's form or PKCS 8, without a passphrase. Raises SigningError."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

        load = load_ssh_private_key if b"OPENSSH" in pem[:64] else load_pem_private_key
        try:
            private = load(pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as err:
            raise SigningError(
                "the private key cannot be read",
                expected="an Ed25519 key in PEM, without a passphrase",
                where=where,
                hint="`lockgate keys new` makes one",
            ) from err
        if not isinstance(private, Ed25519PrivateKey):
            raise SigningError("the private key is of another kind", expected="Ed25519", where=where)
        return cls(private, fingerprint(private.public_key()))

    def sign(self, payload: bytes) -> Signature:
        signature = self.private.sign(encode_for_signing(payload))
        return Signature(key=self.fingerprint, ed25519=base64.b64encode(signature).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key whose signature counts."""

    name: str  # of its owner, in conf/platform
    role: Role
    public: Ed25519PublicKey
    last: int | None = None  # the last entry that a replaced key may have signed; None: the key is in use
    former: Mapping[str, int] = field(default_factory=dict)  # earlier names, each with the last entry under it

    def had_name(self, name: str, *, seq: int) -> bool:
        """Whether `name` is the key's name, or was when entry `seq` was written."""
        return name == self.name or seq <= self.former.get(name, 0)

    def may_sign(self, roles: tuple[Role, ...], *, seq: int) -> bool:
        """Whether the key's signature counts on entry `seq`, which these roles may sign."""
        return self.role in roles and (self.last is None or seq <= self.last)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The trusted keys, by fingerprint. Without a judge's key the log is unsigned."""

    keys: Mapping[str, TrustedKey] = field(default_factory=dict)

    @classmethod
    def from_listed(
        cls,
        listed: Iterable[tuple[str, Role, str, int | None]],
        *,
        where: str,
        former: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    ) -> Keyring:
        """From (name, role, public key, last entry), as conf/platform lists them, and each key's earlier names.

        Raises SigningError for a line that is no key, and for a key that is listed twice: nobody both judges and
        approves.
        """
        keys: dict[str, TrustedKey] = {}
        for name, role, line, last in listed:
            key_path = f"{where}.{name}"
            public = parse_public_key(line, where=key_path)
            key_id = fingerprint(public)
            if key_id in keys:
                raise SigningError(
                    f"the key is also listed for {keys[key_id].name}",
                    expected="one name and one role per key",
                    where=key_path,
                )
            keys[key_id] = TrustedKey(name=name, role=role, public=public, last=last, former=former.get(name, {}))
        return cls(keys)

    @property
    def requires_signatures(self) -> bool:
        """Whether entries must be signed."""
        return any(key.role == "judge" for key in self.keys.values())

    def name(self, key_id: str) -> str:
        """The name that conf/platform gives the key with this fingerprint."""
        key = self.keys.get(key_id)
        return key.name if key else "an unlisted key"

    def check_name(self, name: str, key_id: str, *, seq: int, where: str) -> None:
        """Raise LogError if the waiver of entry `seq` names `name`, but its key had another name then.

        An unlisted key has no name to compare; `check` refuses the entry that it signed.
        """
        key = self.keys.get(key_id)
        if key is not None and not key.had_name(name, seq=seq):
            raise LogError(
                f"the waiver of entry {seq} names {name[:64]!r} as its approver, but its key belongs to {key.name}",
                expected=key.name,
                where=where,
                hint=f"if the key had that name then, add the name to platform.keys.trusted.{key.name}.formerly",
            )

    def check(
        self, payload: bytes, signature: Signature | None, *, roles: tuple[Role, ...], seq: int, where: str
    ) -> None:
        """Raise LogError unless a key of `roles`, in use at entry `seq`, signed `payload`.

        An unsigned log asks for signatures only on what an approver alone may sign. But a signature that names a listed
        key must be that key's in any case.
        """
        allowed = {key_id: key for key_id, key in self.keys.items() if key.may_sign(roles, seq=seq)}
        if not self.requires_signatures and "judge" in roles:
            if signature is None or signature.key not in self.keys:
                return
            allowed = dict(self.keys)
        names = ", ".join(f"{key.name} ({key_id})" for key_id, key in allowed.items())
        expected = f"a signature of {names or 'an approver, but conf/platform lists none'}"
        if signature is None:
            raise LogError("the entry is not signed", expected=expected, where=where)
        if signature.key not in allowed:
            key = self.keys.get(signature.key)
            who = f"{key.name}, who may not sign this" if key else f"the unknown key {signature.key[:60]}"
            raise LogError(f"the entry is signed by {who}", expected=expected, where=where)
        from cryptography.exceptions import InvalidSignature

        try:
            signed_bytes = decode_base64(signature.ed25519)  # another text would be another entry, signed as well
            allowed[signature.key].public.verify(signed_bytes, encode_for_signing(payload))
        except (InvalidSignature, ValueError) as err:
            raise LogError(
                f"the signature of {allowed[signature.key].name} does not match the entry",
                expected="the entry as it was signed",
                where=where,
                hint="somebody changed it afterwards",
            ) from err
