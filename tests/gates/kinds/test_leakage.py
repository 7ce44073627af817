from __future__ import annotations

import numpy as np
import pytest

from lockgate import Verdict, hash_row_ids

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [{"severity": "warn"}]


def failing(make):
    """The holdout's rows are among those that were trained on."""
    return make.evidence(facts={"train_row_hashes": make.facts()["train_row_hashes"]}, row_id=np.arange(700, 1300))


@pytest.mark.parametrize("ids", [np.arange(600), [f"row-{i}-{'x' * (i % 23)}" for i in range(600)]])
@pytest.mark.parametrize("matches", [0, 1, 600])
def test_leakage_counts_the_rows_that_meet(make, ids, matches: int) -> None:
    others = (
        np.arange(5000, 9000) if isinstance(ids, np.ndarray) else [f"other-{'y' * (i % 60)}{i}" for i in range(900)]
    )
    trained = hash_row_ids([*ids[:matches], *others])
    outcome = make.judge(
        make.check("leakage"), make.evidence(row_id=ids, facts={"train_row_hashes": trained})
    ).outcomes[0]
    assert (outcome.verdict, outcome.observed) == ("FAIL" if matches else "PASS", matches)


@pytest.mark.parametrize("facts", [None, {}, {"train_row_hashes": np.empty(0, np.uint64)}])
def test_training_rows_that_are_not_named_are_an_error(make, facts) -> None:
    outcome = make.judge(make.check("leakage"), make.evidence(facts=facts)).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    assert "train_row_hashes" in outcome.message
