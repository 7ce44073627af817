"""Every kind of gate at every edge: what it must say of inputs that gates elsewhere were seen to decide wrongly.

`EDGES` is the table. Its rows are edges; its columns are what kinds of gate read: the challenger's rows, both models'
rows, or something else (`COLUMN`). Where one kind differs from its column, its own tests say so: see own.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, Ruling, State, Verdict, judge
from lockgate.gates.gate.check import Reads
from lockgate.gates.kinds import KINDS
from lockgate.gates.records.outcome import EXIT_CODE, RULING_OF
from lockgate.gates.records.state import Champion
from tests.conformance.own import from_own_tests

PASS, FAIL, INCONCLUSIVE, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP

NOW = datetime(2024, 5, 1, tzinfo=UTC)

COLUMN = {Reads.CHALLENGER: "model", Reads.BOTH_MODELS: "pair"}
"""The column of a kind, by what its example reads; `facts` for all others."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is judged: `make.evidence` with some arrays replaced, under `make.policy` with some keys replaced."""

    arrays: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 600
    policy: Mapping[str, Any] = field(default_factory=dict)
    state: Callable[[Any], State] = lambda make: State()


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One row of the table: what each column says."""

    what: str
    given: Callable[[Any], Given]
    model: Verdict
    pair: Verdict
    facts: Verdict
    said: str = ""  # in the message of every gate that is not PASS

    def verdict(self, make: Any, kind: str) -> Verdict:
        column: Verdict = getattr(self, COLUMN.get(make.reads(kind), "facts"))
        exceptions: Mapping[str, Verdict] = from_own_tests(kind, "EDGES", {})
        return exceptions.get(self.what, column)


def same(verdict: Verdict) -> dict[str, Verdict]:
    return {"model": verdict, "pair": verdict, "facts": verdict}


def bad(column: str, value: float, rows: int = 2) -> Callable[[Any], Given]:
    def given(make: Any) -> Given:
        values = np.array({**make.arrays(), "weight": np.ones(600)}[column], dtype=float)
        values[[5, 77, 300, 412][:rows]] = value
        return Given(arrays={column: values})

    return given


def arrays(rows: int = 600, **replaced: Any) -> Callable[[Any], Given]:
    return lambda make: Given(arrays=replaced, rows=rows)


def alike(score: str) -> Callable[[Any], Given]:
    """Both models have the same scores: the challenger's, or all the same."""

    def given(make: Any) -> Given:
        columns = make.arrays()
        scores = columns["challenger"] if score == "challenger" else np.full(600, columns["label"].mean())
        return Given(arrays={"challenger": scores, "champion": scores})

    return given


def worse(make: Any) -> Given:
    columns = make.arrays()
    return Given(arrays={"challenger": 1 - columns["challenger"] ** 0.2, "champion": columns["challenger"]})


def another_challenger(make: Any) -> dict[str, Any]:
    return {"challenger": make.arrays()["challenger"] * 0.999}


def looked_at(make: Any, kind: str) -> State:
    """The state after a challenger passed such a gate on these rows, under a schedule of one look."""
    once = make.policy({"gate": make.check(kind)}, schedule={"kind": "single"})
    return judge(once, make.evidence(**another_challenger(make))).state


def spent(kind: str, **replaced: Any) -> Callable[[Any], Given]:
    return lambda make: Given(
        arrays=replaced, policy={"schedule": {"kind": "single"}}, state=lambda make: looked_at(make, kind)
    )


def without_facts(make: Any) -> Given:
    return Given(arrays={"facts": {}})


def named_champion(make: Any) -> Given:
    return Given(arrays={"champion": None, "facts": make.facts(champion={"sha256": "a" * 64, "run": "flow/1"})})


EDGES = (
    # rows that are no rows: no gate is judged
    *(
        Edge(
            what=f"a {column} score of {value}",
            given=bad(column, value),
            **same(ERROR),
            said=f"2 rows have a {column} score",
        )
        for column in ("challenger", "champion")
        for value in (math.nan, math.inf, -math.inf, -1e-9, 1 + 1e-9)
    ),
    *(
        Edge(
            what=f"a label of {value}",
            given=bad("label", value, rows=4),
            **same(ERROR),
            said="4 rows have a label that is neither 0 nor 1",
        )
        for value in (math.nan, math.inf, 2.0, 0.5, -1.0)
    ),
    *(
        Edge(what=f"a weight of {value}", given=bad("weight", value), **same(ERROR), said="weight")
        for value in (math.nan, math.inf, -1.0)
    ),
    Edge(what="no weight at all", given=arrays(weight=np.zeros(600)), **same(ERROR), said="every weight is 0"),
    Edge(what="no rows", given=arrays(rows=0), **same(ERROR), said="no rows"),
    Edge(
        what="the same row twice",
        given=arrays(row_id=np.r_[1, np.arange(1, 600)]),
        **same(ERROR),
        said="row_id that another row has too",
    ),
    Edge(
        what="a champion in the facts, but not in the rows",
        given=named_champion,
        **same(ERROR),
        said="the column `champion` is missing",
    ),
    Edge(
        what="clusters that are required, but not there",
        given=lambda make: Given(policy={"clusters": "required"}),
        **same(ERROR),
        said="requires clusters",
    ),
    # rows that show little
    Edge(what="as it should be", given=arrays(), **same(PASS)),
    Edge(
        what="nine rows",
        given=arrays(rows=9),
        model=INCONCLUSIVE,
        pair=INCONCLUSIVE,
        facts=PASS,
    ),
    Edge(
        what="six clusters of ten asked",
        given=arrays(cluster=np.arange(600) // 100),
        model=INCONCLUSIVE,
        pair=INCONCLUSIVE,
        facts=PASS,
        said="at least 10 are asked (min_clusters)",
    ),
    Edge(
        what="one label only",
        given=arrays(label=np.zeros(600)),
        model=ERROR,
        pair=PASS,
        facts=PASS,
    ),
    Edge(
        what="identical scores",
        given=alike("challenger"),
        model=PASS,
        pair=INCONCLUSIVE,
        facts=PASS,
    ),
    Edge(
        what="constant scores of both",
        given=alike("constant"),
        model=PASS,
        pair=INCONCLUSIVE,
        facts=PASS,
    ),
    Edge(
        what="a challenger that is worse",
        given=worse,
        model=FAIL,
        pair=FAIL,
        facts=PASS,
    ),
    # a champion, or none
    Edge(
        what="no champion yet", given=arrays(champion=None), model=PASS, pair=SKIP, facts=PASS, said="no champion was"
    ),
    Edge(
        what="a champion reigns, but has no scores",
        given=lambda make: Given(
            arrays={"champion": None}, state=lambda make: State(seq=1, champion=Champion(sha256="a" * 64, seq=1))
        ),
        model=PASS,
        pair=ERROR,
        facts=PASS,
        said="no champion scores",
    ),
    # looks that are used up: only who asks for a gain is told so, and only instead of PASS
    Edge(
        what="a spent holdout",
        given=spent("improvement"),
        model=PASS,
        pair=INCONCLUSIVE,
        facts=PASS,
        said="judge on fresh rows",
    ),
    Edge(
        what="a retired holdout",
        given=spent("threshold"),
        model=PASS,
        pair=INCONCLUSIVE,
        facts=PASS,
        said="this holdout is retired",
    ),
    # what a gate needs and the run did not say
    Edge(
        what="no slice columns",
        given=arrays(slices={}),
        **same(PASS),
        said="no slice column 'site' in the evidence; expected one of: none",
    ),
    Edge(what="no facts", given=without_facts, model=PASS, pair=PASS, facts=ERROR),
)


def judge_edge(make: Any, kind: str, options: Given) -> Any:
    policy = make.policy({"gate": make.check(kind)}, **options.policy)
    return judge(policy, evidence(make, options), options.state(make), now=NOW)


def evidence(make: Any, options: Given) -> Evidence:
    if options.rows == 0:
        return Evidence.from_arrays(label=[], challenger=[], champion=[], slices={"site": []})
    return make.evidence(options.rows, **options.arrays)


def test_edges_have_names_of_their_own() -> None:
    names = [edge.what for edge in EDGES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_differs_at_edges_that_there_are(kind: str) -> None:
    names = {edge.what for edge in EDGES}
    assert set(from_own_tests(kind, "EDGES", {})) <= names


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.what)
def test_edge(make: Any, edge: Edge, kind: str) -> None:
    decision = judge_edge(make, kind, edge.given(make))
    outcome = decision.outcomes[0]
    assert outcome.verdict == edge.verdict(make, kind), (
        f"{outcome.message}\nIf {kind} is right: EDGES = {{{edge.what!r}: Verdict.{outcome.verdict}}} "
        f"in tests/gates/kinds/test_{kind}.py"
    )
    assert outcome.message
    if outcome.verdict is not PASS:
        assert any(edge.said in part.message for part in (outcome, *outcome.parts))
    ruling = RULING_OF.get(outcome.verdict, Ruling.ERROR)  # a SKIP alone shows nothing
    assert (decision.verdict, decision.exit_code) == (ruling, EXIT_CODE[ruling])
    assert (decision.state.champion != edge.given(make).state(make).champion) == (ruling is Ruling.PROMOTE)
    assert_finite(json.loads(decision.to_json()))


def assert_finite(value: object) -> None:
    """Numbers that exist, with at most 12 digits."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            assert_finite(item)
    elif isinstance(value, float):
        assert math.isfinite(value)
        assert value == float(f"{value:.12g}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_that_holds_without_a_champion_never_promotes(make: Any, kind: str) -> None:
    decision = judge_edge(make, kind, Given(arrays={"champion": None}, policy={"if_no_champion": "hold"}))
    assert decision.exit_code in (1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_is_named_is_named_by_its_hash(make: Any, kind: str) -> None:
    ids = [f"person-{number:04}" for number in range(600)]
    options = Given(arrays={**bad("challenger", math.nan)(make).arrays, "row_id": ids})
    message = judge_edge(make, kind, options).outcomes[0].message
    assert "ids hashed" in message
    assert "person" not in message


@pytest.mark.parametrize("kind", KINDS)
def test_stale_evidence_is_not_judge_edge(make: Any, kind: str) -> None:
    from lockgate.gates.errors import StaleError

    reigning = State(seq=3, champion=Champion(sha256="b" * 64, seq=3))
    options = Given(
        arrays={"facts": make.facts(champion={"sha256": "a" * 64, "run": "flow/1"})}, state=lambda _: reigning
    )
    with pytest.raises(StaleError, match="evaluate again"):
        judge_edge(make, kind, options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_that_warns_promotes_nothing_and_blocks_nothing(make: Any, kind: str) -> None:
    warning = make.check(kind, severity="warn")
    floor = make.check("threshold")
    for options, floor_holds in ((Given(), True), (worse(make), False)):
        policy = make.policy({"gate": warning, "floor": floor})
        decision = judge(policy, evidence(make, options), now=NOW)
        assert decision.verdict == (Ruling.PROMOTE if floor_holds else Ruling.HOLD)
        assert decision.outcomes[0].severity == "warn"


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_none_cost_no_look(make: Any, kind: str) -> None:
    options = bad("challenger", math.nan)(make)
    decision = judge_edge(make, kind, Given(arrays=options.arrays, policy={"schedule": {"kind": "fixed", "looks": 5}}))
    assert decision.verdict == Ruling.ERROR
    assert decision.state.holdouts == {}
