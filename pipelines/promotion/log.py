"""The promotion log of a project, opened with the keys that its platform trusts."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from lockgate.gates import runs
from lockgate.gates.errors import SigningError
from lockgate.gates.log import Keyring, Log, Signer
from lockgate.pipelines.settings.governance import Governance
from lockgate.pipelines.settings.platform import KeySettings

SIGNING_KEY_VARIABLE = "LOCKGATE_SIGNING_KEY"
"""Environment variable that holds a private key, as PEM."""

SIGNING_KEY_FILE_VARIABLE = "LOCKGATE_SIGNING_KEY_FILE"
"""Environment variable that names a file with a private key. Only the file's owner may be able to read it."""


def open_log(settings: Governance, *, writing: bool = False) -> Log:
    """The log of the project, where the platform keeps it.

    With `writing` it signs by the private key in the environment, given as text or as the name of a file. Without, a
    log that nobody has written yet is empty, and no folder is made for it.

    Raises:
        SigningError: the platform requires signatures but lists no judge's key; a key is not valid; the private key
            cannot be read, can be read by others, or is in a file where the platform takes none.
        LogError, RunError: the store cannot be opened.
    """
    keyring = build_keyring(settings.keys)
    return Log(
        runs.open_log_store(settings.project, root=settings.log_root, writing=writing),
        project=settings.project,
        keyring=keyring,
        signer=load_signer(settings.keys, os.environ) if writing else None,
    )


def build_keyring(keys: KeySettings) -> Keyring:
    """The public keys in conf/platform. Raises SigningError if signatures are required but no key can make one."""
    keyring = Keyring.from_listed(
        ((name, key.role, key.key, key.last_entry) for name, key in keys.trusted.items()),
        where="platform.keys.trusted",
        former={name: key.formerly for name, key in keys.trusted.items()},
    )
    if keys.required and not keyring.requires_signatures:
        raise SigningError(
            "this platform requires a signed promotion log, but lists no judge's key",
            expected="a key with role judge",
            where="platform.keys.trusted",
            hint="`lockgate keys new` makes one; the configuration takes its public line",
        )
    return keyring


def load_signer(keys: KeySettings, environment: Mapping[str, str]) -> Signer | None:
    """The private key in the environment, given as text or as the name of a file; None if it has neither."""
    if text := environment.get(SIGNING_KEY_VARIABLE):
        return Signer.parse(text.encode(), where=SIGNING_KEY_VARIABLE)
    name = environment.get(SIGNING_KEY_FILE_VARIABLE)
    if not name:
        return None
    if keys.private == "environment":
        raise SigningError(
            "this platform does not take a private key from a file",
            expected=f"the key itself in {SIGNING_KEY_VARIABLE}",
            where=SIGNING_KEY_FILE_VARIABLE,
        )
    path = Path(name)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        pem = path.read_bytes()
    except OSError as err:
        raise SigningError(f"the private key cannot be read: {err.strerror}", where=name) from err
    if mode & 0o077:
        raise SigningError(
            f"others may read the private key (mode {mode:04o})",
            expected="mode 0600",
            where=name,
            hint=f"chmod 600 {name}",
        )
    return Signer.parse(pem, where=name)
