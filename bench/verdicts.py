"""What the default policy decides on the flights, over seeds and depths: `python -m bench.verdicts`."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from lockgate import Evidence, Policy, hash_row_ids, judge
from lockgate.pipelines import data
from lockgate.pipelines.models import MODELS, Fitted
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose

if TYPE_CHECKING:
    from lockgate.pipelines.data import Split

SEEDS, DEPTHS = range(5), range(3, 7)


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the table: the holdout, and the training windows (as_of, months) of challenger and champion."""

    holdout: str
    challenger: tuple[str, int | None]
    champion: tuple[str, int | None]


QUESTIONS = (
    Question("2013-07", ("2013-07", None), ("2013-04", None)),
    Question("2013-09", ("2013-09", None), ("2013-07", None)),
    Question("2013-10", ("2013-10", None), ("2013-07", None)),
    Question("2013-11", ("2013-11", 3), ("2013-10", None)),
)

_COMPOSED = compose()
_SETTINGS = _COMPOSED.settings
_TABLE = data.load(_SETTINGS.data, root=ROOT)
_MODELS: dict[tuple[str, int | None, int, int], Fitted] = {}


def _split(as_of: str, months: int | None) -> Split:
    return data.split(_TABLE, _SETTINGS.data, _SETTINGS.train.model_copy(update={"periods": months}), as_of)


def _fit(as_of: str, months: int | None, seed: int, depth: int) -> Fitted:
    key = (as_of, months, seed, depth)
    if key not in _MODELS:
        split = _split(as_of, months)
        params = MODELS["xgb"].Params.model_validate({**(_SETTINGS.model.model_extra or {}), "max_depth": depth})
        _MODELS[key] = MODELS["xgb"].fit(split.train, split.train_labels, params=params, task="binary", seed=seed)
        sys.stderr.write(f"\r{len(_MODELS)} models")
    return _MODELS[key]


def _evidence(holdout: str, challenger: Fitted, champion: Fitted, trained: Split) -> Evidence:
    split = _split(holdout, None)
    return Evidence.from_arrays(
        label=split.labels,
        challenger=challenger.score(split.holdout),
        champion=champion.score(split.holdout),
        row_id=split.row_ids,
        cluster=split.clusters,
        time=split.times,
        slices=split.slices,
        facts={"train_row_hashes": hash_row_ids(trained.train_row_ids)},
    )


def main() -> None:
    """Print both tables as markdown."""
    policy = _COMPOSED.policy
    print("| holdout | challenger | champion | PROMOTE | HOLD | INCONCLUSIVE |\n|---|---|---|---|---|---|")  # noqa: T201
    for question in QUESTIONS:
        verdicts: Counter[str] = Counter()
        for seed, depth in itertools.product(SEEDS, DEPTHS):
            evidence = _evidence(
                question.holdout,
                _fit(*question.challenger, seed, depth),
                _fit(*question.champion, seed, depth),
                _split(*question.challenger),
            )
            verdicts[judge(policy, evidence).verdict] += 1
        training = [
            f"before {as_of}, {f'{months} months' if months else 'all'}"
            for as_of, months in (question.challenger, question.champion)
        ]
        counts = " | ".join(str(verdicts[verdict]) for verdict in ("PROMOTE", "HOLD", "INCONCLUSIVE"))
        print(f"| {question.holdout} | {training[0]} | {training[1]} | {counts} |", flush=True)  # noqa: T201
    _same_model(policy)


def _same_model(policy: Policy) -> None:
    """A/A: the same model with another seed, judged by the default policy and by two simpler rules."""
    declared = yaml.safe_load((ROOT / "conf/gate/default.yaml").read_text())
    loss = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}
    rules = {
        "the default policy": policy,
        "any gain, one look (level .95)": Policy.parse(
            {**declared, "schedule": {"kind": "open"}, "checks": {"a": loss}}
        ),
        f"any gain, one of the looks (level {1 - policy.scheduled_alpha:g})": Policy.parse(
            {**declared, "checks": {"a": loss}}
        ),
        "any gain by rows, days ignored (.95)": Policy.parse(
            {**declared, "schedule": {"kind": "open"}, "clusters": "ignore", "checks": {"a": loss}}
        ),
    }
    promoted, pairs = Counter[str](), 0
    for month, depth in itertools.product(("2013-07", "2013-09", "2013-10"), DEPTHS):
        for seed, other in itertools.permutations(SEEDS, 2):
            evidence = _evidence(
                month, _fit(month, None, seed, depth), _fit(month, None, other, depth), _split(month, None)
            )
            pairs += 1
            for name, rule in rules.items():
                promoted[name] += judge(rule, evidence).verdict == "PROMOTE"
    print(f"\n| rule | promoted of {pairs} pairs that differ in the seed only |\n|---|---|")  # noqa: T201
    for name in rules:
        print(f"| {name} | {promoted[name]} |")  # noqa: T201


if __name__ == "__main__":
    main()
