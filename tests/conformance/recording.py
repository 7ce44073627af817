"""Every kind of gate, with every key, before many holdouts: `python -m tests.conformance.recording` records it.

The files are a record of behaviour. A change of one is a change of what is judged or told, and is reviewed as one.
"""

# ruff: noqa: E501 (a variant is easiest to read on one line)
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gates import Evidence, State, judge
from gates.decision import Decision
from gates.state import Champion
from tests.conformance.told import READS_FACTS, runs
from tests.gates.conftest import Make

FOLDER = Path(__file__).with_name("golden")
TOGETHER = "together"
TOPICS = (*Make.checks, TOGETHER)
NOW = datetime(2026, 1, 2, tzinfo=UTC)

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "threshold": [
        {"decide": "point"}, {"max": 0.99, "min": None}, {"min": 0.6, "max": 0.7}, {"metric": "log_loss", "min": None, "max": 0.5},
        {"metric": "accuracy", "min": 0.9, "severity": "warn"}, {"metric": "rmse", "min": None, "max": 1.0},
    ],
    "improvement": [
        {"metric": "accuracy"}, {"metric": "accuracy", "margin": -0.02}, {"metric": "auc", "margin": 0.05},
        {"margin": 0.3}, {"margin": 0.02, "severity": "warn"}, {"metric": "rmse", "margin": 0.1},
    ],
    "slices": [
        {"require": "no_proven_harm", "margin": -0.02}, {"metric": "auc", "margin": -0.3}, {"min_rows": 201, "small_slice": "skip"},
        {"min_rows": 201, "small_slice": "block"}, {"min_rows": 201}, {"values": ["north", "nowhere"]},
        {"values": ["north", "nowhere"], "optional_values": ["nowhere"]}, {"by": ["site", "half"], "require": "no_proven_harm"},
        {"by": "nothing"}, {"margin": 0.1}, {"metric": "accuracy", "require": "no_proven_harm", "margin": 0.0},
    ],
    "fairness": [
        {"decide": "point"}, {"max": 0.001}, {"metric": "recall"}, {"metric": "selection_rate", "max": 0.05, "decide": "point"},
        {"min_rows": 201, "small_slice": "skip"}, {"min_rows": 201, "small_slice": "block"}, {"by": ["site", "half"]},
        {"metric": "auc", "max": 0.3},
    ],
    "disagreement": [{"decide": "point"}, {"max": 0.1}, {"beyond": 0.2}, {"max": 0.1, "decide": "point"}, {"severity": "warn"}],
    "calibration": [
        {"decide": "point"}, {"measure": "ece"}, {"measure": "slope", "max": 0.2}, {"measure": "intercept", "max": 0.05},
        {"max": 0.001}, {"measure": "slope", "max": 0.01, "decide": "point"},
    ],
    "leakage": [{"severity": "warn"}],
    "drift": [
        {"measure": "ks"}, {"measure": "js"}, {"decide": "point"}, {"max": 0.0001}, {"of": "features"}, {"against": "champion"},
        {"of": "features", "against": "champion", "measure": "js"}, {"of": "features", "columns": ["nothing"]},
    ],
    "data": [
        {"min_rows": 700}, {"min_clusters": 5}, {"max_missing": 0.0}, {"label_rate": {"min": 0.1, "max": 0.2}},
        {"label_rate": {"min": 0.1, "max": 0.9}}, {"require_columns": ["x", "y"]}, {"banned_columns": ["x", "z"]},
        {"types": {"x": "name"}}, {"max_age": "12h"}, {"max_age": "900d"},
    ],
    "resource": [{"fact": "model_bytes", "max": 10}, {"fact": "peak_memory_mb", "max": 1e9}, {"max": 1e9}, {"min": 1e8, "max": 1e9}],
    "provenance": [
        {"require": [one]} for one in ("finished", "committed", "clean", "model", "champion", "data")
    ] + [{"require": ["clean", "data"], "max_age": "12h"}],
    "parity": [{"max_difference": 1.0}, {"min_rows": 100_000}, {"max_difference": 0.0}],
    "condition": [
        {"condition": text}
        for text in (
            "n > 0.6 +/- 0.1", "n > 0 +/- 0.1", "2 * n > 1.3 +/- 0.1", "2 * d < 0.9 +/- 0.2", "2 * n < 1 +/- 0.02", "n > 0.6 +/- 0.001", "n < 0.6 +/- 0.1", "o > 0.6 +/- 0.1", "d < 0.5 +/- 0.1", "d > 0.1 +/- 0.1",
            "n - o > 0 +/- 0.1", "n - o > 0.02 +/- 0.1", "n - o > -0.05 +/- 0.1", "2 * n - 2 * o > 0.04 +/- 0.2",
            "n - 1.1 * o > 0 +/- 0.1", "n - 1.1 * o < 0.3 +/- 0.1", "n + o + d < 1.9 +/- 0.3", "o - n < 0.01 +/- 0.1", r"n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01", "0.5 * n + d > 0.3 +/- 0.2",
        )
    ],
    "any_of": [
        {"checks": {"low": {"kind": "threshold", "metric": "auc", "min": 0.9, "decide": "bound"}, "gap": Make.checks["calibration"]}},
        {"checks": {"low": {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "point"}, "gain": Make.checks["improvement"]}},
        {"checks": {"fact": Make.checks["resource"], "gain": {**Make.checks["improvement"], "margin": 0.5}}},
        {"checks": {"one": {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "bound"}}, "owner": "us", "description": "why"},
    ],
}  # fmt: skip


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
    made: dict[str, Callable[[], dict[str, Any]]] = {
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
        "regression": lambda: {
            "task": "regression", "label": 4 * plain["label"], "challenger": 4 * plain["challenger"], "champion": 4 * champion
        },
        "leaked": lambda: {"facts": {**facts, "train_row_hashes": Make.evidence().row_hashes}},
    }  # fmt: skip
    for name, given in made.items():
        yield name, Evidence.from_arrays(**{**plain, "facts": facts, **given()})
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
    one = {name: value[:1] for name, value in plain.items() if name not in ("slices", "facts")}
    yield "one row", Evidence.from_arrays(**one, slices={"site": ["north"], "half": ["am"]}, facts=facts)
    few = Make.arrays(9)
    few["slices"]["half"] = np.array(["am"] * 9)
    yield "nine rows", Evidence.from_arrays(**few)


def checks(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example of a kind, and every variant of it, each with its name."""
    example = Make.checks[kind]
    yield kind, example
    for variant in VARIANTS[kind]:
        own = example if kind not in ("data", "any_of") else {"kind": kind}
        merged = {key: value for key, value in {**own, **variant}.items() if value is not None}
        yield f"{kind} {json.dumps(variant, sort_keys=True)}", merged


def of_kind(kind: str) -> Iterator[tuple[str, Decision]]:
    """A kind's example before every holdout, and each variant of it before some."""
    known, told = [*holdouts()], [*runs()] if kind in READS_FACTS else []
    for name, check in checks(kind):
        policy = Make.policy({"gate": check, "there": {"kind": "leakage"}}, schedule={"kind": "fixed", "looks": 20})
        for place, evidence in known if name == kind else [one for one in known if one[0] in FOR_VARIANTS]:
            yield f"{name} @ {place}", judge(policy, evidence, now=NOW)
        for place, evidence in told:
            yield f"{name} @ {place}", judge(policy, evidence, now=NOW)
        if kind in ("data", "provenance"):
            yield f"{name} @ no time", judge(policy, told[0][1])


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
    for told in ({"sha256": "a" * 64, "run": "F/1"}, {"sha256": "b" * 64}):
        held = Make.evidence(facts={"challenger": told, "train_row_hashes": evidence["plain"].train_row_hashes})
        yield f"challenger {told} beside a champion", judge(Make.policy(gain), held, reigning, now=NOW)
    warned = {**gain, "watched": {**Make.checks["threshold"], "min": 0.99, "severity": "warn"}}
    yield "a warning", judge(Make.policy(warned), evidence["plain"])


def lines(topic: str) -> Iterator[str]:
    """Of a kind, or of `TOGETHER`: one outcome a line, and after those of a decision what they say together.

    What a check says of a second holdout in the same words is not said again.
    """
    said: set[str] = set()
    for name, decision in together() if topic == TOGETHER else of_kind(topic):
        for outcome in decision.outcomes[:1] if " @ " in name else decision.outcomes:
            told = _told(outcome.model_dump(mode="json"))
            once = name.partition(" @ ")[0] + json.dumps(told)
            if once not in said:
                yield json.dumps({"case": name, **told}, ensure_ascii=False)
            said.add(once)
        if topic != TOGETHER:
            continue
        all_told = {
            "case": name, "verdict": decision.verdict, "reason": decision.reason, "exit": decision.exit_code,
            "look": decision.look.message, "number": decision.look.number, "already": decision.already_champion,
            "guarantee": decision.guarantee, "retired": [one.retired for one in decision.state.holdouts.values()],
            "valid_until": decision.state.champion and str(decision.state.champion.valid_until), "seq": decision.state.seq,
        }  # fmt: skip
        yield json.dumps(all_told, sort_keys=True, ensure_ascii=False)


def _told(outcome: dict[str, Any], gate: dict[str, Any] | None = None) -> dict[str, Any]:
    """What an outcome says, less what goes without saying."""
    parts = [_told(part, outcome) for part in outcome["parts"]]
    shared = {key for key in OF_THE_GATE if gate and gate[key] == outcome[key]}
    own = {key: value for key, value in outcome.items() if key not in shared and value not in (None, "", [], False)}
    return {**own, **({"parts": parts} if parts else {})}


if __name__ == "__main__":
    for topic in TOPICS:
        (FOLDER / f"{topic}.jsonl").write_text("\n".join(lines(topic)) + "\n", encoding="utf-8")
