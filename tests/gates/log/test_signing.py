"""Whose signature counts: known answers, and everything that somebody could swap."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_public_key,
)

from lockgate.gates.errors import SigningError
from lockgate.gates.log import Signer
from lockgate.gates.log.signing import encode_for_signing, fingerprint, parse_public_key
from tests.builders import (
    FIRST_MODEL,
    JUDGE,
    assert_one_line,
    commit_evidence,
    entry_bytes,
    make_keyring,
    new_log,
    public_line_of,
)

# A pair that ssh-keygen made for this test, and what `ssh-keygen -l` says of it. Nothing trusts it.
SSH_KEYGEN = b"""-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACBqftVM+L0LY1YQys6sF1hYDlrJq8nwEjAoMjjzTZIM5gAAAJAXN8VNFzfF
TQAAAAtzc2gtZWQyNTUxOQAAACBqftVM+L0LY1YQys6sF1hYDlrJq8nwEjAoMjjzTZIM5g
AAAEBI7oHhOnthrh1fusSHXYuMiRnFEgawC0ixhB0qARFP32p+1Uz4vQtjVhDKzqwXWFgO
WsmryfASMCgyOPNNkgzmAAAAC2FkYUBleGFtcGxlAQI=
-----END OPENSSH PRIVATE KEY-----
"""
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGp+1Uz4vQtjVhDKzqwXWFgOWsmryfASMCgyOPNNkgzm ada@example"
FINGERPRINT = "SHA256:sAlH2sem5gSomZUoZ/wQaDbszcsaHUD7cqUkZjWc0q0"

# RFC 8032, section 7.1, TEST 1: the key pair. The signature is OpenSSL's, of the encoded payload.
RFC_8032 = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
RFC_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
OPENSSL = "tqA3Srzyf9UPl4wXceG2BvX65XertF6wASK59k7yPbWNSMVtZUUInHnmx0u9ttRjvRGAuELuXIK0fOZ90LWXAg=="


def test_what_is_signed_is_dsse_s_encoding() -> None:
    assert encode_for_signing(b'{"seq":1}') == b'DSSEv1 35 application/vnd.lockgate.entry+json 9 {"seq":1}'


def test_the_signature_of_a_published_key_is_the_one_that_openssl_makes() -> None:
    signer = Signer.parse(RFC_8032, where="key")
    assert signer.private.public_key().public_bytes_raw() == RFC_PUBLIC
    assert signer.sign(b'{"seq":1}').ed25519 == OPENSSL
    Ed25519PublicKey.from_public_bytes(RFC_PUBLIC).verify(base64.b64decode(OPENSSL), encode_for_signing(b'{"seq":1}'))
    with pytest.raises(InvalidSignature):  # the bare payload is something else
        Ed25519PublicKey.from_public_bytes(RFC_PUBLIC).verify(base64.b64decode(OPENSSL), b'{"seq":1}')


def test_a_pair_of_ssh_keygen_s_has_the_fingerprint_that_it_prints() -> None:
    signer = Signer.parse(SSH_KEYGEN, where="key")
    assert signer.fingerprint == fingerprint(parse_public_key(PUBLIC, where="key")) == FINGERPRINT
    assert public_line_of(signer) == " ".join(PUBLIC.split()[:2])


def test_an_entry_verifies_by_plain_cryptography() -> None:
    """As somebody would check it who has neither lockgate nor a reason to trust it."""
    key = Signer.parse(SSH_KEYGEN, where="key")
    log = new_log(key=key, keys=make_keyring(ci=(key, "judge")))
    commit_evidence(log, FIRST_MODEL)
    fields = json.loads(entry_bytes(log, 1))
    signature = fields.pop("signature")
    payload = json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()  # no number is odd
    kind = b"application/vnd.lockgate.entry+json"
    signed = b"DSSEv1 " + b" ".join([str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    load_ssh_public_key(PUBLIC.encode()).verify(base64.b64decode(signature["ed25519"]), signed)
    assert signature["key"] == FINGERPRINT


def test_a_private_key_is_not_shown() -> None:
    assert "Ed25519PrivateKey" not in repr(JUDGE)
    assert JUDGE.fingerprint in repr(JUDGE)


def _encrypt_key() -> bytes:
    return JUDGE.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def _make_elliptic_key() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "cannot be read"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "cannot be read"),
        (b"\x00\xff" * 40, "cannot be read"),
        (_encrypt_key(), "cannot be read"),
        (PUBLIC.encode(), "cannot be read"),
        (_make_elliptic_key(), "of another kind; expected Ed25519"),
    ],
    ids=["empty", "cut", "garbage", "with a passphrase", "public", "another kind"],
)
def test_what_is_no_private_key_is_refused(pem: bytes, message: str) -> None:
    with pytest.raises(SigningError, match=message) as caught:
        Signer.parse(pem, where="LOCKGATE_SIGNING_KEY")
    assert "LOCKGATE_SIGNING_KEY" in assert_one_line(caught)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 " + "A" * 68,
        PUBLIC.replace("AAAAC3", "AAAAC4"),
        PUBLIC.split()[1],
        "ssh-ed25519 schlüssel",
        PUBLIC.replace("AAAAC3", "AAAA!C3"),  # which a decoder may pass over
        PUBLIC.replace("AAAAC3", "AAAA=C3"),
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(SigningError) as caught:
        parse_public_key(text, where="platform.keys.trusted.ci")
    assert "platform.keys.trusted.ci" in assert_one_line(caught)


def test_a_key_of_another_type_is_refused() -> None:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    other = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    with pytest.raises(SigningError, match="a key of type ecdsa-sha2-nistp256; expected ssh-ed25519"):
        parse_public_key(other.decode(), where="key")


@pytest.mark.parametrize("roles", [("judge", "approver"), ("judge", "judge")])
def test_a_key_has_one_name_and_one_role(roles: Any) -> None:
    with pytest.raises(SigningError, match="the key is also listed for ci; expected one name and one role per key"):
        make_keyring(ci=(JUDGE, roles[0]), ann=(JUDGE, roles[1]))
