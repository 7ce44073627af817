from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field
from pydantic_core import PydanticCustomError

from lockgate.gates.errors import LockgateError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, GateName, Reads
from lockgate.gates.gate.limits import copy_numbers
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.kinds.useless import check_reachable
from lockgate.gates.records.outcome import Outcome, Verdict, summarise_parts
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

    PASS when one check passes at its share of the error rate. Of k checks that decide by an interval, each gets
    alpha/k; once one has passed, the others share alpha (Holm). If none of the checks is true, the gate passes with
    probability alpha at most. Checks that read facts or decide by the point take no share. A check that passes unless
    harm is proven, such as `slices` with `no_proven_harm`, does so here too.

    FAIL when every check fails, each at the full level: a check that is true fails with probability alpha at most, so
    no error rate is shared. ERROR when any check is an ERROR, even if another passes, so that nothing unjudged is
    hidden. SKIP checks are left out, and the gate is SKIP when all are. Otherwise INCONCLUSIVE. Each check is one of
    the outcome's `parts`.

    Once there is a champion, a gate with a check that asks for a gain is a scheduled look as a whole: every check that
    decides by an interval is judged at the level of a look, and is INCONCLUSIVE instead of PASS when the looks are
    spent.
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
                AfterValidator(check_reachable),
            ],
        ],
        Field(min_length=1),
        _ALTERNATIVES,
    ]

    @property
    def is_scheduled(self) -> bool:
        return any(check.is_scheduled for check in self.checks.values())

    @property
    def sources(self) -> frozenset[Reads]:
        return frozenset().union(*(check.sources for check in self.checks.values()))

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for check in self.checks.values() for name in check.compared_metrics))

    @property
    def metrics_of_all_rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for check in self.checks.values() for name in check.metrics_of_all_rows))

    @property
    def rule(self) -> str:
        return " or ".join(f"{name}: {check.rule}" for name, check in self.checks.items())

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        return {
            f"checks.{name}.{key}": problem
            for name, check in self.checks.items()
            for key, problem in check.list_misfits(table).items()
        }

    def judge(self, name: str, case: Case) -> Outcome:
        looking = self.is_scheduled and not case.no_champion
        whole = replace(case, confidence=case.scheduled_confidence) if looking else replace(case, spent="")
        parts = tuple(self._judge_sharing(whole).values())
        verdict = combine_alternatives([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{summarise_parts(parts, self.part_noun)}; {decisive.name!r}: {decisive.message}",
            case,
            parts=parts,
            **copy_numbers(decisive),
        )

    def _judge_sharing(self, case: Case) -> dict[str, Outcome]:
        """Outcomes by check. A check passes at its share of the error rate, and fails at the full level."""
        outcomes = {name: self._judge_check(name, case) for name in self.checks}
        sharing = [
            name
            for name, outcome in outcomes.items()
            if outcome.verdict is not Verdict.SKIP and self._errs_by_chance(name, outcome)
        ]
        # only checks that pass at the full level too: `no_proven_harm` is easier to pass at a share
        passing = [name for name in sharing if outcomes[name].verdict is Verdict.PASS]
        while passing:
            at_share = {name: self._judge_check(name, case.share_error_rate(len(sharing))) for name in passing}
            passed = [name for name in passing if at_share[name].verdict is Verdict.PASS]
            if not passed:
                for name in passing:
                    outcomes[name] = _not_at_share(at_share[name], len(sharing))
                break
            for name in passed:
                outcomes[name] = _unless_spent(at_share[name], case.spent)
            sharing = [name for name in sharing if name not in passed]
            passing = [name for name in passing if name not in passed]
        return outcomes

    def _judge_check(self, name: str, case: Case) -> Outcome:
        check = self.checks[name]
        try:
            outcome = check.judge(name, case)
        except LockgateError as err:
            outcome = check.outcome(name, Verdict.ERROR, str(err), case)
        labels = {"severity": self.severity, "description": check.description, "owner": check.owner}
        return outcome.model_copy(update=labels)

    def _errs_by_chance(self, name: str, outcome: Outcome) -> bool:
        """Whether chance can make the check's verdict wrong, so that it takes a share of the error rate."""
        decide = getattr(self.checks[name], "decide", "")
        return decide != "point" and outcome.level is not None


def combine_alternatives(verdicts: list[Verdict]) -> Verdict:
    """The verdict of checks of which one must pass: ERROR outweighs PASS; FAIL only where every judged check fails."""
    if Verdict.ERROR in verdicts:
        return Verdict.ERROR
    if Verdict.PASS in verdicts:
        return Verdict.PASS
    judged = [verdict for verdict in verdicts if verdict is not Verdict.SKIP]
    if not judged:
        return Verdict.SKIP
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in judged else Verdict.FAIL


def _unless_spent(outcome: Outcome, spent: str) -> Outcome:
    """The outcome of a check that passes; INCONCLUSIVE where no scheduled look can pass any more."""
    if not spent:
        return outcome
    return outcome.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "message": f"{outcome.message}; {spent}"})


def _not_at_share(outcome: Outcome, sharing: int) -> Outcome:
    """The outcome at its share of a check that passes only at the full level, with the reason in its message."""
    return outcome.model_copy(
        update={"message": f"{outcome.message}; passes alone, but {sharing} checks share the error rate"}
    )
