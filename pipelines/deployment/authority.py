"""Who may change what is deployed: as Metaflow has it, whoever deployed it, or has its production token."""

from __future__ import annotations

from collections.abc import Mapping

from gates.errors import DeployError
from pipelines.deployment.cluster import notes
from pipelines.deployment.objects import Document, Key

OWNER, TOKEN = "metaflow/owner", "metaflow/production_token"


def check_may_delete(deployed: Mapping[Key, Document], *, user: str, token: str) -> None:
    """Raises DeployError where something was deployed by somebody else, and its token is neither given nor kept."""
    for key, document in sorted(deployed.items()):
        owner, asked = notes(document).get(OWNER), notes(document).get(TOKEN, "")
        if owner and owner != user and asked not in (token.removeprefix("production:"), _kept(asked)):
            raise DeployError(
                f"{key} was deployed by {owner}, and not by {user}",
                expected="its production token",
                hint=f"it is in the annotation {TOKEN}; give --authorize TOKEN",
            )


def _kept(token: str) -> str | None:
    """The token of the same deployment that Metaflow keeps for this user."""
    from metaflow.plugins.aws.step_functions.production_token import load_token

    found: str | None = load_token("-".join(token.split("-")[:2])) if token else None
    return found
