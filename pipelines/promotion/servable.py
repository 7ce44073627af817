"""Whether the model that would be promoted can be loaded by Predict: asked before it is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lockgate.gates.errors import EvidenceError, ModelError
from lockgate.gates.evidence.facts import read_part
from lockgate.pipelines.models import FORMATS, check_loadable

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.pipelines.settings.governance import Governance


def check_servable(settings: Governance, evidence: Evidence, load_bytes: Callable[[], bytes]) -> None:
    """Raise ModelError if Predict could not load the challenger, unless it is served elsewhere.

    Its format, digest and structure are checked, and another process than the one that trained it must have scored it
    (fact `parity`). It is not loaded here: this process may hold the judge's key, and the bytes may be anybody's.

    Args:
        evidence: of the run.
        load_bytes: reads the model of the run.
    """
    if settings.servable == "elsewhere":
        return
    challenger, parity = read_part(evidence.facts, "challenger"), read_part(evidence.facts, "parity")
    rows = parity.get("rows")
    try:
        check_loadable(str(challenger.get("format")), load_bytes(), sha256=str(challenger.get("sha256")))
        if parity.get("problem") or type(rows) is not int or rows < 1:
            problem = str(parity.get("problem") or "no fact `parity` says that another process has scored it")
            raise ModelError(problem[:200], expected="scores that a process of its own gave again")
    except (EvidenceError, ModelError) as err:
        raise ModelError(
            f"Predict could not load this model: {err.problem}",
            expected=err.expected or f"a model that can be loaded, in one of the formats {', '.join(FORMATS)}",
            where=str(challenger.get("run")),
            hint="if it is not Predict that serves, set `servable: elsewhere` in conf/platform",
        ) from err
