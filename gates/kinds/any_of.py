from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field
from pydantic_core import PydanticCustomError

from lockgate.gates.errors import LockgateError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, GateName, Reads
from lockgate.gates.gate.limits import numbers
from lockgate.gates.kinds.useless import reachable
from lockgate.gates.records.outcome import Outcome, Verdict, tally
from lockgate.gates.strictness import Category, Direction, Named

if TYPE_CHECKING:
    from lockgate.gates.kinds import SingleCheck


def _without_severity(check: Check) -> Check:
    if "severity" in check.model_fields_set:
        raise PydanticCustomError(
            "severity",
            "a check of any_of has no severity of its own; expected severity beside any_of",
            {"below": "severity"},
        )
    return check


_ALTERNATIVES = Named(
    Category.GATES,
    added=Direction.WEAKER,
    removed=Direction.REVIEW,
    added_why="one more way to pass the gate",
    removed_why="one way less to pass; but its ERROR no longer counts, and the others share the error rate with fewer",
)


class AnyOf(Check):
    """At least one of several checks passes.

        either: {kind: any_of, checks: {better: {kind: improvement, metric: log_loss, margin: 0.001}, good: {kind: threshold, metric: auc, min: 0.80, decide: bound}}}

    | key | |
    |---|---|
    | `checks` | checks by name, of any kind but `any_of`, without a severity of their own; at least one |

    PASS when one check passes at its share of the error rate: of k checks that decide by an interval each gets
    alpha/k, and once one has passed the others share alpha (Holm). So the gate passes with probability alpha at
    most while none of them is true. Checks that read facts, or decide by the point, take no share. A check that
    passes for want of proof, as `slices` does with `no_proven_harm`, does so here too.

    FAIL when every check fails, each at the full level: if one of them is true, that one fails with probability
    alpha at most, so nothing need be shared. ERROR when any check is an ERROR, even beside one that passes: what
    could not be judged is never hidden. Checks that are SKIP are left out; SKIP when all are. Otherwise
    INCONCLUSIVE. Every check is one of the gate's `parts`.

    When a check asks for a gain, the gate as a whole is a scheduled look, once there is a champion: every check that
    decides by an interval is judged at the level of one, and is INCONCLUSIVE instead of PASS where the looks are spent.
    """  # noqa: E501 (the example)

    part_noun: ClassVar[str] = "check"
    example: ClassVar[Mapping[str, Any]] = {
        "kind": "any_of",
        "checks": {"floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}},
    }

    kind: Literal["any_of"]
    checks: Annotated[
        Mapping[
            GateName,
            Annotated[
                Annotated[SingleCheck, Discriminator("kind")],
                AfterValidator(_without_severity),
                AfterValidator(reachable),
            ],
        ],
        Field(min_length=1),
        _ALTERNATIVES,
    ]

    @property
    def scheduled(self) -> bool:
        return any(check.scheduled for check in self.checks.values())

    @property
    def sources(self) -> frozenset[Reads]:
        return frozenset().union(*(check.sources for check in self.checks.values()))

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for check in self.checks.values() for name in check.compared_metrics))

    @property
    def rule(self) -> str:
        return " or ".join(f"{name}: {check.rule}" for name, check in self.checks.items())

    def judge(self, name: str, case: Case) -> Outcome:
        looking = self.scheduled and not case.no_champion
        whole = replace(case, confidence=case.scheduled_confidence) if looking else replace(case, spent="")
        parts = tuple(self._shared(whole).values())
        verdict = together([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{tally(parts, self.part_noun)}; {decisive.name!r}: {decisive.message}",
            case,
            parts=parts,
            **numbers(decisive),
        )

    def _shared(self, case: Case) -> dict[str, Outcome]:
        """Every check's outcome: a PASS at its share of the error rate, a FAIL at the full level."""
        found = {name: self._ask(name, case) for name in self.checks}
        left = [name for name, one in found.items() if one.verdict is not Verdict.SKIP and self._by_level(name, one)]
        # a check may only pass that does at the full level too: `no_proven_harm` is easier to pass at a share
        passing = [name for name in left if found[name].verdict is Verdict.PASS]
        while passing:
            at_share = {name: self._ask(name, case.shared(len(left))) for name in passing}
            passed = [name for name in passing if at_share[name].verdict is Verdict.PASS]
            if not passed:
                for name in passing:
                    found[name] = _not_at_share(at_share[name], len(left))
                break
            for name in passed:
                found[name] = _unless_spent(at_share[name], case.spent)
            left = [name for name in left if name not in passed]
            passing = [name for name in passing if name not in passed]
        return found

    def _ask(self, name: str, case: Case) -> Outcome:
        check = self.checks[name]
        try:
            found = check.judge(name, case)
        except LockgateError as err:
            found = check.outcome(name, Verdict.ERROR, str(err), case)
        said = {"severity": self.severity, "description": check.description, "owner": check.owner}
        return found.model_copy(update=said)

    def _by_level(self, name: str, found: Outcome) -> bool:
        """Whether a check's verdict can err by chance at some level."""
        decide = getattr(self.checks[name], "decide", "")
        return decide != "point" and found.level is not None


def together(verdicts: list[Verdict]) -> Verdict:
    """What checks say of which one must pass: ERROR before PASS; FAIL only where all fail that are judged."""
    if Verdict.ERROR in verdicts:
        return Verdict.ERROR
    if Verdict.PASS in verdicts:
        return Verdict.PASS
    judged = [verdict for verdict in verdicts if verdict is not Verdict.SKIP]
    if not judged:
        return Verdict.SKIP
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in judged else Verdict.FAIL


def _unless_spent(found: Outcome, spent: str) -> Outcome:
    """A check that passes, unless no scheduled look can pass any more."""
    if not spent:
        return found
    return found.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "message": f"{found.message}; {spent}"})


def _not_at_share(found: Outcome, sharing: int) -> Outcome:
    """A check that passes at the full level only: what it says at its share, and why that is no PASS."""
    return found.model_copy(
        update={"message": f"{found.message}; passes alone, but {sharing} checks share the error rate"}
    )
