"""Policies, stored beside the log by the digest of their bytes. An entry names the policy that it was judged by."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from lockgate.gates import documents
from lockgate.gates.errors import LogError, PolicyError
from lockgate.gates.log.durable import create_object, keep_object
from lockgate.gates.log.objects import unreachable_error
from lockgate.gates.policy.archive import read_archived
from lockgate.gates.policy.policy import Policy
from lockgate.gates.policy.upgrades import FIRST_SHAPE, SHAPE_KEY, current_shape

if TYPE_CHECKING:
    from obstore.store import ObjectStore


MAX_POLICY_BYTES = documents.MAX_JSON_BYTES
"""No stored policy is larger."""


def policy_bytes(policy: Policy) -> bytes:
    """What the policy declares, as JSON, descriptions and owners included. Gates keep their order.

    Defaults are left out: some keys may not be given at all, such as `severity` within `any_of`. The first key is the
    number of its shape (`lockgate.gates.policy.upgrades`), which the first shape does not have.
    """
    declared = policy.model_dump(mode="json", exclude_unset=True)
    if (shape := current_shape()) > FIRST_SHAPE:
        declared = {SHAPE_KEY: shape, **declared}
    return json.dumps(declared, separators=(",", ":"), ensure_ascii=False).encode()


def policy_sha256(policy: Policy) -> str:
    """SHA-256 of the bytes that are stored. Raises LogError if they are too many to be read back."""
    blob = policy_bytes(policy)
    if len(blob) > MAX_POLICY_BYTES:
        raise LogError(
            f"the policy has {len(blob):,} bytes",
            expected=f"at most {MAX_POLICY_BYTES:,}, the most that can be read back",
            hint="nothing was written; declare fewer gates, or shorten their descriptions",
        )
    return hashlib.sha256(blob).hexdigest()


def store_policy(store: ObjectStore, policy: Policy) -> str:
    """Store the policy, unless it is stored already; returns the SHA-256 of its bytes. It outlives a power cut.

    Raises LogError if the store fails, if other bytes are in its place, or if the policy is too large.
    """
    digest = policy_sha256(policy)
    try:
        try:
            create_object(store, _policy_path(digest), policy_bytes(policy))
        except AlreadyExistsError:
            load_policy_bytes(store, digest)
            keep_object(store, _policy_path(digest))
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    return digest


def load_policy(store: ObjectStore, digest: str) -> Policy:
    """The policy that is kept under this digest, of whatever version of lockgate.

    Raises LogError if it is missing or was changed, PolicyError if it is no policy.
    """
    return parse_policy(load_policy_bytes(store, digest), where=_policy_path(digest))


def parse_policy(blob: bytes, *, where: str) -> Policy:
    """The policy in the bytes that were kept. Raises PolicyError if they are none."""
    try:
        document = documents.parse_json(blob)
    except (ValueError, RecursionError) as err:
        raise PolicyError([f"the policy is not JSON; expected what lockgate kept @ {where}"]) from err
    return read_archived(document, where=where)


def load_policy_bytes(store: ObjectStore, digest: str) -> bytes:
    """The bytes that are kept under this digest, which is theirs. Raises LogError if they are missing or others."""
    where = _policy_path(digest)
    try:
        response = store.get(where)
        blob = bytes(response.bytes()) if response.meta["size"] <= MAX_POLICY_BYTES else b""
    except FileNotFoundError as err:
        raise LogError("the log's copy of the policy is missing", where=where) from err
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    if hashlib.sha256(blob).hexdigest() != digest:
        raise LogError(
            "the log's copy of the policy is not the one that was used",
            expected=f"SHA-256 {digest}",
            where=where,
            hint="somebody changed it, or a power cut tore it; delete it, and the next judgement by that policy "
            "writes it again",
        )
    return blob


def _policy_path(digest: str) -> str:
    return f"policies/{digest}.json"
