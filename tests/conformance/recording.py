"""Every kind of gate, with every key, before many holdouts: `python -m tests.conformance.recording [KIND…]` records it.

The files are a record of behaviour. A change of one is a change of what is judged or told, and is reviewed as one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lockgate import Evidence, State, judge
from lockgate.gates.errors import PolicyError
from lockgate.gates.gate.check import Reads
from lockgate.gates.kinds import KINDS
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import Champion
from tests.conformance.own import from_own_tests
from tests.conformance.told import runs
from tests.gates.conftest import Make

FOLDER = Path(__file__).with_name("golden")
TOGETHER, REFUSED = "together", "refused"
TOPICS = (*KINDS, TOGETHER, REFUSED)
NOW = datetime(2026, 1, 2, tzinfo=UTC)

MISDECLARED: dict[str, list[dict[str, Any]]] = {
    "threshold": [
        {"min": 2},
        {"min": None, "max": -1},
        {"min": 0},
        {"max": 1, "min": 0},
        {"metric": "r2", "min": 2},
        {"metric": "rmse", "min": 0},
        {"metric": "acuracy"},
        {"min": 0.7, "max": 0.6},
        {"description": "\ud800"},
        {"owner": "\ud800"},
        {"severity": "perhaps"},
    ],
    "improvement": [
        {"metric": "auc", "margin": 2},
        {"metric": "auc", "margin": -1},
        {"metric": "mcc", "margin": 2.5},
        {"metric": "mcc", "margin": -2},
    ],
    "slices": [{"by": ["site", "site"]}, {"margin": 1e400}, {"optional_values": ["x" * 100]}],
    "fairness": [{"by": []}],
    "drift": [{"columns": ["a"]}, {"max": 1.0}],
    "data": [
        {"max_missing": None, "banned_columns": None},
        {"label_rate": {}},
        {"label_rate": {"min": 0.6, "max": 0.5}},
    ],
    "resource": [{"min": 61.0}],
    "provenance": [{"require": ["clean", "data", "clean"]}, {"max_age": "soon"}],
    "condition": [{"condition": "n > 2 +/- 0.1"}],
    "any_of": [
        {"checks": {"low": {**Make.checks["threshold"], "severity": "block"}}},
        {"checks": {"Low": Make.checks["threshold"]}},
        {"checks": {"x-" * 50: Make.checks["threshold"]}},
        {"checks": {"low": {**Make.checks["threshold"], "min": 2}}},
    ],
}


FOR_VARIANTS = (
    "plain",
    "clustered",
    "few clusters",
    "worse",
    "no champion",
    "regression",
    "multiclass",
    "weights and clusters",
    "one row",
)
"""The holdouts that every variant is judged on; the examples themselves are judged on all."""

OF_THE_GATE = ("kind", "severity", "rule", "level", "metric")
"""What a part has in common with its gate."""


def holdouts() -> Iterator[tuple[str, Evidence]]:
    """Holdouts by name: each lets the gates say something else."""
    plain = Make.arrays()
    plain["slices"]["half"] = np.array(["am", "pm"])[np.arange(600) // 3 % 2]
    champion, facts = plain["champion"], Make.facts()
    changes: dict[str, Callable[[], dict[str, Any]]] = {
        "plain": dict,
        "clustered": lambda: {"cluster": np.arange(600) % 40},
        "few clusters": lambda: {"cluster": np.arange(600) % 6},
        "weighted": lambda: {"weight": 1.0 + np.arange(600) % 3},
        "worse": lambda: {"challenger": champion, "champion": plain["challenger"]},
        "the same": lambda: {"champion": plain["challenger"]},
        "no champion": lambda: {"champion": None},
        "no facts": lambda: {"facts": {}},
        "one label": lambda: {"label": np.ones(600)},
        "a score is missing": lambda: {"challenger": np.where(np.arange(600) == 3, np.nan, plain["challenger"])},
        "two defects": lambda: {"challenger": np.full(600, 2.0), "champion": np.full(600, -1.0)},
        "regression": lambda: {
            "task": "regression",
            "label": 4 * plain["label"],
            "challenger": 4 * plain["challenger"],
            "champion": 4 * champion,
        },
        "leaked": lambda: {"facts": {**facts, "train_row_hashes": Make.evidence().row_hashes}},
    }
    for name, change in changes.items():
        yield name, Evidence.from_arrays(**{**plain, "facts": facts, **change()})
    third = np.arange(600) % 3
    of_three = {
        name: np.eye(3)[(third + shift) % 3] * 0.7 + 0.1
        for name, shift in (("challenger", third % 7 == 3), ("champion", third // 2))
    }
    yield (
        "multiclass",
        Evidence.from_arrays(
            **{**plain, "facts": facts, "label": third.astype(float), **of_three},
            task="multiclass",
            classes=["a", "b", "c"],
        ),
    )
    heavy = np.where(third == 1, 0.0, 1.0 + np.arange(600) % 5)
    yield (
        "weights and clusters",
        Evidence.from_arrays(**{**plain, "facts": facts, "weight": heavy, "cluster": np.arange(600) % 40}),
    )
    one_row = {name: value[:1] for name, value in plain.items() if name not in ("slices", "facts")}
    yield "one row", Evidence.from_arrays(**one_row, slices={"site": ["north"], "half": ["am"]}, facts=facts)
    few = Make.arrays(9)
    few["slices"]["half"] = np.array(["am"] * 9)
    yield "nine rows", Evidence.from_arrays(**few)


def checks(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example of a kind, and every variant of it, each with its name."""
    example = Make.checks[kind]
    yield kind, example
    for variant in from_own_tests(kind, "VARIANTS", []):
        start = example if kind != "data" else {"kind": kind}  # of which each variant asks one thing
        merged = {key: value for key, value in {**start, **variant}.items() if value is not None}
        yield f"{kind} {json.dumps(variant, sort_keys=True)}", merged


def of_kind(kind: str) -> Iterator[tuple[str, Decision]]:
    """A kind's example before every holdout, and each variant of it before some."""
    reads_facts = kind == "drift" or Make.reads(kind) in (Reads.FACTS, Reads.RUN)  # drift reads scores and counts
    all_holdouts, claims = [*holdouts()], [*runs()] if reads_facts else []
    for name, check in checks(kind):
        policy = Make.policy({"gate": check, "there": {"kind": "leakage"}}, schedule={"kind": "fixed", "looks": 20})
        for place, evidence in (
            all_holdouts if name == kind else [named for named in all_holdouts if named[0] in FOR_VARIANTS]
        ):
            yield f"{name} @ {place}", judge(policy, evidence, now=NOW)
        for place, evidence in claims:
            yield f"{name} @ {place}", judge(policy, evidence, now=NOW)
        if kind in ("data", "provenance"):
            yield f"{name} @ no time", judge(policy, claims[0][1])


def together() -> Iterator[tuple[str, Decision]]:
    """What schedules, champions and several gates make of a judgement."""
    evidence = dict(holdouts())
    gain = {"gate": Make.checks["improvement"], "floor": Make.checks["threshold"]}
    for kind in ({"kind": "single"}, {"kind": "fixed", "looks": 2}, {"kind": "open"}):
        state = State(salt="golden")
        for disclose in ("all", "promotion_only"):
            policy = Make.policy(gain, schedule=kind, disclose=disclose, if_no_champion="hold")
            for place in ("worse", "plain", "plain", "clustered", "weighted", "no champion"):
                decision = judge(policy, evidence[place], state, now=NOW)
                yield f"{kind} {disclose} @ {place}, after {state.seq}", decision
                state = decision.state
    reigning = State(champion=Champion(sha256="a" * 64, seq=1), seq=1)
    for challenger in ({"sha256": "a" * 64, "run": "F/1"}, {"sha256": "b" * 64}):
        scored = Make.evidence(facts={"challenger": challenger, "train_row_hashes": evidence["plain"].train_row_hashes})
        yield f"challenger {challenger} beside a champion", judge(Make.policy(gain), scored, reigning, now=NOW)
    floors = {"either": Make.checks["any_of"], **gain}
    state = State(salt="golden")
    for place in ("plain", "clustered"):
        decision = judge(Make.policy(floors, schedule={"kind": "single"}), evidence[place], state, now=NOW)
        yield f"floors and a gain @ {place}, after {state.seq}", decision
        state = decision.state
    for name, metrics in {"one fails": ["auc"], "two fail": ["auc", "accuracy"], "none is asked": []}.items():
        failing = {metric: {**Make.checks["threshold"], "metric": metric, "min": 0.999} for metric in metrics}
        yield name, judge(Make.policy({"gain": Make.checks["improvement"], **failing}), evidence["no champion"])
    yield "one is skipped", judge(Make.policy(gain), evidence["no champion"])
    yield "two defects", judge(Make.policy(gain), evidence["two defects"])
    warned = {**gain, "watched": {**Make.checks["threshold"], "min": 0.99, "severity": "warn"}}
    yield "a warning", judge(Make.policy(warned), evidence["plain"])


def refuse_gates() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Gates that cannot be declared, and what is wrong with each."""
    for kind, variants in MISDECLARED.items():
        for variant in variants:
            try:
                Make.policy({"gate": {**Make.checks[kind], **variant}})
            except PolicyError as err:
                yield f"{kind} {json.dumps(variant)}", err.problems


def lines(topic: str) -> Iterator[str]:
    """Of a kind, or of `TOGETHER`: one outcome a line, and after those of a decision what they say together.

    What a check says of a second holdout in the same words is not said again. Of `REFUSED`: one policy a line.
    """
    if topic == REFUSED:
        yield from (
            json.dumps({"case": name, "problems": report}, ensure_ascii=False) for name, report in refuse_gates()
        )
        return
    written: set[str] = set()
    for name, decision in together() if topic == TOGETHER else of_kind(topic):
        for outcome in decision.outcomes[:1] if " @ " in name else decision.outcomes:
            report = _describe(outcome.model_dump(mode="json"))
            once = name.partition(" @ ")[0] + json.dumps(report)
            if once not in written:
                yield json.dumps({"case": name, **report}, ensure_ascii=False)
            written.add(once)
        if topic != TOGETHER:
            continue
        summary = {
            "case": name,
            "verdict": decision.verdict,
            "reason": decision.reason,
            "exit": decision.exit_code,
            "look": decision.look.message,
            "number": decision.look.number,
            "already": decision.already_champion,
            "guarantee": decision.guarantee,
            "conditions": decision.conditions,
            "retired": [holdout.retired for holdout in decision.state.holdouts.values()],
            "valid_until": decision.state.champion and str(decision.state.champion.valid_until),
            "seq": decision.state.seq,
        }
        yield json.dumps(summary, sort_keys=True, ensure_ascii=False)


def _describe(outcome: dict[str, Any], gate: dict[str, Any] | None = None) -> dict[str, Any]:
    """What an outcome says, less what goes without saying."""
    parts = [_describe(part, outcome) for part in outcome["parts"]]
    shared = {key for key in OF_THE_GATE if gate and gate[key] == outcome[key]}
    own = {key: value for key, value in outcome.items() if key not in shared and value not in (None, "", [], False)}
    return {**own, **({"parts": parts} if parts else {})}


if __name__ == "__main__":
    for topic in sys.argv[1:] or TOPICS:
        (FOLDER / f"{topic}.jsonl").write_text("\n".join(lines(topic)) + "\n", encoding="utf-8")
