"""Whether the model that would be promoted can be loaded by Predict: asked before it is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lockgate.gates.errors import EvidenceError, ModelError
from lockgate.gates.evidence.facts import read_part
from lockgate.pipelines.models import FORMATS, check_loadable, load_model

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.pipelines.settings.governance import Governance


def check_servable(settings: Governance, evidence: Evidence, load_bytes: Callable[[], bytes]) -> None:
    """Raise ModelError if Predict could not load the challenger, unless it is served elsewhere.

    A model that a process other than the one that trained it has scored (fact `parity`) need not be loaded once more:
    then its format and its structure are checked. Any other model is loaded.

    Args:
        evidence: of the run.
        load_bytes: reads the model of the run.
    """
    if settings.servable == "elsewhere":
        return
    challenger, parity = read_part(evidence.facts, "challenger"), read_part(evidence.facts, "parity")
    loads = load_model if parity.get("problem") or not parity.get("rows") else check_loadable
    try:
        loads(str(challenger.get("format")), load_bytes(), sha256=str(challenger.get("sha256")))
    except (EvidenceError, ModelError) as err:
        raise ModelError(
            f"Predict could not load this model: {err.problem}",
            expected=err.expected or f"one of the formats {', '.join(FORMATS)}",
            where=str(challenger.get("run")),
            hint="if it is not Predict that serves, set `servable: elsewhere` in conf/platform",
        ) from err
