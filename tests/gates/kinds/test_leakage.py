from __future__ import annotations

import numpy as np
import pytest

from lockgate import Evidence, Verdict, hash_row_ids

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


NUMBERS = np.arange(600)
TEXTS = [str(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("trained", "ids", "sentence"),
    [
        (NUMBERS, TEXTS, "the training rows have integers as ids, and the holdout has texts"),
        (TEXTS, NUMBERS, "the training rows have texts as ids, and the holdout has integers"),
        (TEXTS, [f"{number}.0" for number in NUMBERS], "ids of training rows or of the holdout end in `.0`"),
        ([f"{number}.0" for number in range(599, 900)], TEXTS, "ids of training rows or of the holdout end in `.0`"),
        (np.arange(9000, 9600), [f"{number:05}" for number in NUMBERS], "the training rows have integers as ids"),
    ],
)
def test_ids_of_another_type_never_match_and_are_an_error(make, trained, ids, sentence: str) -> None:
    evidence = make.evidence(row_id=ids, facts={"train_row_hashes": hash_row_ids(trained)})
    for read in (evidence, Evidence.from_bytes(evidence.to_bytes())):
        outcome = make.judge(make.check("leakage"), read).outcomes[0]
        assert outcome.verdict == Verdict.ERROR
        assert outcome.message.startswith(sentence)
        assert "convert one of them" in outcome.message


@pytest.mark.parametrize(("trained", "ids"), [(NUMBERS, TEXTS), (TEXTS, NUMBERS)])
def test_where_the_type_is_not_kept_ids_that_match_once_converted_are_an_error(make, trained, ids) -> None:
    """As in evidence that was written before the type was, or whose hashes were put together from several."""
    bare = np.concatenate([np.asarray(hash_row_ids(trained))])
    outcome = make.judge(make.check("leakage"), make.evidence(row_id=ids, facts={"train_row_hashes": bare})).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    others = np.asarray(hash_row_ids(np.arange(9000, 9600)))
    outcome = make.judge(make.check("leakage"), make.evidence(row_id=ids, facts={"train_row_hashes": others})).outcomes[
        0
    ]
    assert outcome.verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("month", "learned_by", "leaked"),
    [("2013-08", "2013-08", 1), ("2013-08", "2013-09", 0), ("2013-09", "2013-09", 1), ("2013-09", "2013-08", 1)],
)
def test_a_row_may_be_trained_on_for_later_periods_only(make, month: str, learned_by: str, leaked: int) -> None:
    """A row leaks if the model of its own period, or of one before it, learned from it."""
    months = np.repeat(["2013-08", "2013-09", "2013-10"], 200)
    row = int(np.flatnonzero(months == month)[5])
    trained = {name: hash_row_ids(np.arange(5000, 6000 + number)) for number, name in enumerate(dict.fromkeys(months))}
    extra = hash_row_ids(np.array([row]))
    trained |= {name: np.append(hashes, extra) for name, hashes in trained.items() if name >= learned_by}
    evidence = make.evidence(period=months, facts={"train_row_hashes": trained})
    for read in (evidence, type(evidence).from_bytes(evidence.to_bytes())):
        outcome = make.judge(make.check("leakage"), read).outcomes[0]
        assert (outcome.verdict, outcome.observed) == ("FAIL" if leaked else "PASS", leaked)
        assert "of their period's model, or of an earlier period's" in outcome.message


def test_what_one_model_was_trained_on_counts_for_every_period(make) -> None:
    trained = {"train_row_hashes": hash_row_ids(np.array([3, 599]))}
    evidence = make.evidence(period=np.repeat(["2013-08", "2013-09", "2013-10"], 200), facts=trained)
    assert make.judge(make.check("leakage"), evidence).outcomes[0].observed == 2
