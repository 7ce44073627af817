"""What is kept beside the log: policies, by the digest of their bytes. An entry names the one that it was judged by."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import rfc8785
from obstore.exceptions import AlreadyExistsError, BaseError

from gates.errors import LogError
from gates.log.log import unreachable
from gates.policy import Policy

if TYPE_CHECKING:
    from obstore.store import ObjectStore


def policy_bytes(policy: Policy) -> bytes:
    """The policy as canonical JSON (RFC 8785), descriptions and owners included."""
    return rfc8785.dumps(policy.model_dump(mode="json"))


def keep_policy(store: ObjectStore, policy: Policy) -> str:
    """Keep the policy, unless it is kept already; SHA-256 of its bytes."""
    blob = policy_bytes(policy)
    digest = hashlib.sha256(blob).hexdigest()
    try:
        store.put(_path(digest), blob, mode="create")
    except AlreadyExistsError:
        pass
    except (BaseError, OSError) as err:
        raise unreachable(err) from err
    return digest


def kept_policy(store: ObjectStore, digest: str) -> Policy:
    """The policy of this digest. Raises LogError where it is gone or is not what was kept, PolicyError for none."""
    where = _path(digest)
    try:
        blob = bytes(store.get(where).bytes())
    except FileNotFoundError as err:
        raise LogError("the policy is gone from beside the log", where=where) from err
    except (BaseError, OSError) as err:
        raise unreachable(err) from err
    if hashlib.sha256(blob).hexdigest() != digest:
        raise LogError("the kept policy is not what was judged by", expected=f"SHA-256 {digest}", where=where)
    return Policy.parse(json.loads(blob))


def _path(digest: str) -> str:
    return f"policies/{digest}.json"
