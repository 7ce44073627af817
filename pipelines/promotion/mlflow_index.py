"""The alias `champion` in MLflow's model registry follows the promotion log: an index for people and tools, no proof.

The log is the truth. What MLflow says is never read as one, and an MLflow that is down, or says no, changes neither a
verdict nor the log nor an exit code: the next command tries again. Five requests of MLflow's REST API are all there is,
as its client would bring 41 packages.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import LockgateError, printable

if TYPE_CHECKING:
    from lockgate.gates.log import Log
    from lockgate.pipelines.settings.governance import RegistrySettings

ALIAS = "champion"
"""On the version of the registered model whose bytes reign, and on no other."""

SHA256_TAG = "lockgate.sha256"
"""On a version, by whoever registers it: SHA-256 of the bytes that were given as `model=`."""

ENTRY_TAG = "lockgate.entry"
"""On a version that got the alias: the entry of the promotion log that promoted it."""

_TIMEOUT_S = (3.0, 5.0)  # to connect, and for an answer
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)


def follow_log(log: Log, settings: RegistrySettings) -> str:
    """Put the alias where the log's last entry says, and say in a few words what was changed; empty if nothing was.

    Without a champion, and where no version has the tag with its SHA-256, no version has the alias.

    Raises:
        LockgateError: MLflow does not answer, refuses or cannot be understood; the log cannot be read.
    """
    registry, champion = _Registry(settings), log.state().champion
    place = f"{settings.model}@{ALIAS}"
    try:
        present = registry.find_alias()
        wanted = registry.find_version(champion.sha256) if champion else None
    except _UNREADABLE as err:
        raise LockgateError("MLflow sent an unreadable answer", where=settings.registry) from err
    if wanted == present:
        return ""
    if wanted is None or champion is None:
        registry.ask("DELETE", "registered-models/alias", {"name": settings.model, "alias": ALIAS})
        lacking = f"no version has the tag {SHA256_TAG} of the champion" if champion else "no model reigns"
        return f"{place} is no longer version {present}: {lacking}"
    version = {"name": settings.model, "version": wanted}
    registry.ask("POST", "model-versions/set-tag", {**version, "key": ENTRY_TAG, "value": str(champion.seq)})
    registry.ask("POST", "registered-models/alias", {**version, "alias": ALIAS})
    return f"{place} is version {wanted}"


class _Registry:
    """The registered model of a project, by MLflow's REST API."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings

    def find_alias(self) -> str | None:
        """The version that has the alias."""
        model = self.ask("GET", "registered-models/get", {"name": self._settings.model})["registered_model"]
        return next((str(alias["version"]) for alias in model.get("aliases", []) if alias["alias"] == ALIAS), None)

    def find_version(self, sha256: str | None) -> str | None:
        """The latest version with this SHA-256."""
        if sha256 is None or not _DIGEST.fullmatch(sha256):
            return None
        condition = f"name='{self._settings.model}' and tags.`{SHA256_TAG}`='{sha256}'"
        answer = self.ask("GET", "model-versions/search", {"filter": condition})
        versions = [int(version["version"]) for version in answer.get("model_versions", [])]
        return str(max(versions)) if versions else None

    def ask(self, method: str, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        """MLflow's answer. Raises LockgateError if there is none, or a refusal; it never says who asked."""
        import requests

        address = f"{self._settings.registry.rstrip('/')}/api/2.0/mlflow/{path}"
        try:
            answer = requests.request(
                method,
                address,
                params=parameters if method == "GET" else None,
                json=None if method == "GET" else parameters,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
                **_identify(),
            )
            document = answer.json()
        except (requests.RequestException, ValueError) as err:
            raise LockgateError(
                f"MLflow does not answer ({type(err).__name__})", where=self._settings.registry
            ) from err
        if answer.status_code != 200 or not isinstance(document, dict):
            reason = document.get("message") if isinstance(document, dict) else None
            raise LockgateError(
                f"MLflow refuses ({answer.status_code}): {printable(str(reason))[:160]}", where=self._settings.registry
            )
        return document


def _identify() -> dict[str, Any]:
    """The credentials in the environment, by the names that MLflow gives them."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"headers": {"Authorization": f"Bearer {token}"}}
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    return {"auth": (user, password)} if user and password else {}
