"""What runs may say about one holdout, truly or not: for the kinds of gate that read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lockgate import Evidence
from lockgate.gates.evidence.facts import Witness
from tests.gates.conftest import Make

FEATURES = Make.facts()["features"]
HOLES = {
    "age": {
        **FEATURES["age"],
        "train": {"cells": [400, 400, 400]},
        "holdout": {"cells": [100, 200, 150], "missing": 150},
    },
    "site": {**FEATURES["site"], "holdout": {"cells": [590, 0], "other": 10}},
    "empty": {
        "kind": "number",
        "edges": [],
        "train": {"cells": [0], "missing": 1200},
        "holdout": {"cells": [0], "missing": 600},
    },
}
UNCOUNTED = {**FEATURES["age"], "holdout": None}
LONG = {f"{index} {'x' * 100}": HOLES["age"] for index in range(7)}
CHALLENGER = {"run": "EvaluateNewModel/7", "sha256": "a" * 64}
CHAMPION = {"run": "EvaluateNewModel/1", "sha256": "b" * 64, "features": FEATURES}
CLAIMS: dict[str, dict[str, Any]] = {
    "all": {},
    "holes": {"features": HOLES},
    "one feature": {"features": {"age": FEATURES["age"]}},
    "features of no holdout": {"features": {name: {**value, "holdout": None} for name, value in FEATURES.items()}},
    "no features": {"features": None},
    "features that do not fit": {"features": {"age": {**FEATURES["age"], "edges": [1.0]}}},
    "no scores": {"scores": None},
    "scores in two cells": {"scores": {"kind": "number", "edges": [0.5], "train": {"cells": [60, 40]}}},
    "no commit": {"code": {"commit": None, "clean": None}},
    "a short commit": {"code": {"commit": "abc", "clean": False}},
    "no code": {"code": None},
    "another model": {"challenger": {"run": "EvaluateNewModel/7", "sha256": "f" * 64}},
    "no challenger": {"challenger": None},
    "no champion told": {"champion": None},
    "a champion without features": {"champion": {**CHAMPION, "features": None}},
    "a champion unlike": {"champion": {**CHAMPION, "features": HOLES}},
    "other rows": {"data": {"holdout_sha256": "0" * 64, "train_sha256": "1" * 64}},
    "other training rows": {"data": {"train_sha256": "1" * 64}},
    "no data": {"data": None},
    "scored long ago": {"scored_at": "2025-06-01T00:00:00+00:00", "as_of": "2025-05"},
    "scored tomorrow": {"scored_at": "2026-01-03T00:00:00+00:00", "as_of": "2026-03"},
    "scored at no time": {"scored_at": "yesterday", "as_of": "spring"},
    "scored within minutes": {"scored_at": "2026-01-02T00:04:00+00:00", "as_of": None},
    "parity missed": {"parity": {"rows": 600, "max_difference": 0.25}},
    "parity not done": {"parity": {"problem": "no room"}},
    "parity on few": {"parity": {"rows": 3, "max_difference": 0.0, "python": "3.13.0"}},
    "features of no row": {
        "features": {"age": {**FEATURES["age"], "train": {"cells": [0, 0, 0]}, "holdout": {"cells": [0, 0, 0]}}}
    },
    "scores of no row": {"scores": {"kind": "number", "edges": [0.5], "train": {"cells": [0, 0]}}},
    "a champion that does not fit": {
        "champion": {**CHAMPION, "features": {"age": {**FEATURES["age"], "edges": [1.0]}}}
    },
    "a champion of other features": {"champion": {**CHAMPION, "features": {"weight": FEATURES["age"]}}},
    "a champion without a name": {"champion": {"sha256": "b" * 64}},
    "nothing of what was trained on": {"train_row_hashes": None},
    "scored three days ago": {"scored_at": "2025-12-30T00:00:00+00:00", "as_of": "2026-01"},
    "features of a long name": {"features": {"x" * 100: {**FEATURES["age"], "edges": [1.0]}}},
    "three columns with holes": {"features": {f"f{index}": HOLES["age"] for index in range(3)}},
    "five columns with holes": {"features": {f"f{index}": HOLES["age"] for index in range(5)}},
    "seven columns of long names with holes": {"features": LONG},
    "a name among the features": {"features": {"site": FEATURES["site"]}},
    "a name of a long name": {"features": {"n" * 100: FEATURES["site"], "age": FEATURES["age"]}},
    "a long name of no holdout": {"features": {"y" * 100: UNCOUNTED}},
    "a long month": {"as_of": "2" * 100},
    "a long commit": {"code": {"commit": "e" * 100, "clean": True}},
    "a champion of a long name": {"champion": {**CHAMPION, "run": "EvaluateNewModel/" + "1" * 100}},
    "parity not done, at length": {"parity": {"problem": "p" * 300}},
    "parity of no difference": {"parity": {"rows": 600}},
    "parity of a long version": {"parity": {"rows": 600, "max_difference": 0.0, "python": "3" * 100}},
    "negative": {
        "fit_seconds": -1,
        "model_bytes": True,
        "peak_memory_mb": "much",
        "predict_ms_per_1000_p99": None,
        "predict_cpu_ms_per_1000_p99": None,
    },
}


def runs() -> Iterator[tuple[str, Evidence]]:
    """One holdout, and what runs may have said about it."""
    plain = Make.arrays()
    trained = plain["facts"]["train_row_hashes"]
    evidence = Make.evidence()
    data = {
        "holdout_sha256": evidence.holdout,
        "train_sha256": hashlib.sha256(np.sort(trained).astype("<u8").tobytes()).hexdigest(),
    }
    whole = Make.facts(
        scored_at="2026-01-01T06:00:00+00:00",
        as_of="2025-12",
        challenger=CHALLENGER,
        champion=CHAMPION,
        data=data,
        model_bytes=1000,
        peak_memory_mb=512.5,
        predict_cpu_ms_per_1000_p50=1.25,
        predict_cpu_ms_per_1000_p99=1.75,
        predict_ms_per_1000_p50=1.5,
        predict_ms_per_1000_p99=2.5,
    )
    for name, claims in CLAIMS.items():
        facts = {**whole, **claims}
        if claims.get("data"):
            facts["data"] = {**data, **claims["data"]}
        scored_rows = Evidence.from_arrays(**{**plain, "facts": facts})
        witness = (
            None
            if name == "no code"
            else Witness(run="EvaluateNewModel/7", model_sha256=None if name == "no data" else "a" * 64)
        )
        yield f"a run that said: {name}", replace(scored_rows, witness=witness)
    for name, time in {
        "days": ["2025-12-30", "2025-12-31"],
        "hours": ["2026-01-01T20:00:00", "2026-01-01T23:00:00+00:00"],
        "no times": ["once", "twice"],
        "to come": ["2026-02-01", "2026-02-02"],
    }.items():
        rows = {**plain, "time": np.array(time)[np.arange(600) % 2], "facts": whole}
        yield f"rows of {name}", Evidence.from_arrays(**rows)
    for name, time in {
        "days ago": "2025-12-30T00:00:00+00:00",
        "in five minutes": "2026-01-02T00:05:00+00:00",
        "in six minutes": "2026-01-02T00:05:30+00:00",
    }.items():
        dated = {key: value for key, value in whole.items() if key != "as_of"} | {"scored_at": time}
        yield f"no month, scored {name}", Evidence.from_arrays(**{**plain, "facts": dated})
    yield (
        "no champion at all",
        Evidence.from_arrays(**{**plain, "champion": None, "facts": {**whole, "champion": None}}),
    )
    third = np.arange(600) % 3
    classes = {"kind": "name", "values": ["a", "b"], "train": {"cells": [50, 30], "other": 20}}
    for name, distribution in {"told as classes": classes, "told as numbers": whole["scores"]}.items():
        scored = {
            "label": third,
            "challenger": np.eye(3)[third] * 0.7 + 0.1,
            "facts": {**whole, "champion": None, "scores": distribution},
        }
        three = Evidence.from_arrays(
            **{**plain, "champion": None, **scored}, task="multiclass", classes=["a", "b", "c"]
        )
        yield f"scores {name}", three
    yield "a run without champion scores", Evidence.from_arrays(**{**plain, "champion": None, "facts": whole})
