"""What is kept beside the log: policies, by the digest of their bytes. An entry names the one that it was judged by."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from lockgate.gates import documents
from lockgate.gates.errors import LogError
from lockgate.gates.log.objects import unreachable_error
from lockgate.gates.policy.policy import Policy

if TYPE_CHECKING:
    from obstore.store import ObjectStore


MAX_POLICY_BYTES = documents.MOST_JSON_BYTES
"""No policy that is kept is larger."""


def policy_bytes(policy: Policy) -> bytes:
    """What the policy declares, as JSON: descriptions and owners with it, and no key more. Gates keep their order.

    A key that was not given may be one that must not be, as `severity` within `any_of`.
    """
    declared = policy.model_dump(mode="json", exclude_unset=True)
    return json.dumps(declared, separators=(",", ":"), ensure_ascii=False).encode()


def policy_sha256(policy: Policy) -> str:
    """SHA-256 of the bytes that are kept of it. Raises LogError where they are more than are read back."""
    blob = policy_bytes(policy)
    if len(blob) > MAX_POLICY_BYTES:
        raise LogError(
            f"the policy has {len(blob):,} bytes",
            expected=f"at most {MAX_POLICY_BYTES:,}, as more are not read back",
            hint="nothing was written; declare fewer gates, or shorten what is said of them",
        )
    return hashlib.sha256(blob).hexdigest()


def store_policy(store: ObjectStore, policy: Policy) -> str:
    """Keep the policy, unless it is kept already; SHA-256 of its bytes.

    Raises LogError where the store fails, something else lies in its place, or it is too large.
    """
    digest = policy_sha256(policy)
    try:
        store.put(_policy_path(digest), policy_bytes(policy), mode="create")
    except AlreadyExistsError:
        _read_policy(store, digest)
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    return digest


def load_policy(store: ObjectStore, digest: str) -> Policy:
    """The policy of this digest. Raises LogError where it is gone or is not what was kept, PolicyError for none."""
    return Policy.parse(documents.parse_json(_read_policy(store, digest)))


def _read_policy(store: ObjectStore, digest: str) -> bytes:
    where = _policy_path(digest)
    try:
        response = store.get(where)
        blob = bytes(response.bytes()) if response.meta["size"] <= MAX_POLICY_BYTES else b""
    except FileNotFoundError as err:
        raise LogError("the policy is gone from beside the log", where=where) from err
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    if hashlib.sha256(blob).hexdigest() != digest:
        raise LogError("the kept policy is not what was judged by", expected=f"SHA-256 {digest}", where=where)
    return blob


def _policy_path(digest: str) -> str:
    return f"policies/{digest}.json"
