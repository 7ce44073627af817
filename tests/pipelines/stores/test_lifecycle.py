"""Of every store: versions go back, are withdrawn, and are deleted when they are old."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store
from tests.pipelines.stores.places import publish, read_all, stage


@pytest.fixture
def five(store: Store, draft: Any) -> Store:
    """Five versions; the model of version n is n, 64 times."""
    for number in range(1, 6):
        publish(store, draft(number, model_sha256=str(number) * 64, log_seq=number), {"k": number / 10})
    return store


def marks(store: Store) -> dict[int, str]:
    return {version.version: "*" * version.current + "w" * version.withdrawn for version in store.versions("orders")}


def score(store: Store) -> float:
    (score_,) = read_all(store).values()
    prediction = store.get("orders", "k", version=None)
    assert prediction is not None
    assert prediction.score == score_
    return score_


def test_back_and_forth(five: Store) -> None:
    assert (five.rollback("orders", to=None).version, score(five)) == (4, 0.4)
    assert (five.rollback("orders", to=None).version, score(five)) == (3, 0.3)
    assert (five.rollback("orders", to=5).version, score(five)) == (5, 0.5)
    assert five.rollback("orders", to=1).current
    assert marks(five) == {5: "", 4: "", 3: "", 2: "", 1: "*"}
    with pytest.raises(StoreError, match="there is no earlier version to go back to; expected one of 1, 2, 3, 4, 5"):
        five.rollback("orders", to=None)
    with pytest.raises(StoreError, match="there is no version 6; expected one of 1, 2, 3, 4, 5"):
        five.rollback("orders", to=6)
    assert score(five) == 0.1


def test_the_next_version_after_a_rollback_has_a_new_number(five: Store, draft: Any) -> None:
    five.rollback("orders", to=2)
    assert publish(five, draft(6, log_seq=6), {"k": 0.6}).version == 6
    assert five.rollback("orders", to=None).version == 5


def test_versions_of_revoked_models_are_withdrawn_for_the_last_that_is_not(five: Store, draft: Any) -> None:
    assert five.withdraw("orders", ["5" * 64, "4" * 64, "2" * 64, "9" * 64]) == (2, 4, 5)
    assert (marks(five), score(five)) == ({5: "w", 4: "w", 3: "*", 2: "w", 1: ""}, 0.3)
    assert five.withdraw("orders", ["5" * 64]) == ()
    assert five.rollback("orders", to=None).version == 1
    with pytest.raises(StoreError, match="version 5 is withdrawn: its model was revoked; expected one of 1, 3"):
        five.rollback("orders", to=5)
    assert publish(five, draft(6, log_seq=6), {"k": 0.6}).version == 6
    assert score(five) == 0.6


def test_a_version_that_is_not_current_is_withdrawn_quietly(five: Store) -> None:
    assert five.withdraw("orders", ["1" * 64]) == (1,)
    assert score(five) == 0.5


def test_where_all_are_withdrawn_none_is_current(five: Store, draft: Any) -> None:
    five.withdraw("orders", [str(number) * 64 for number in range(1, 6)])
    assert marks(five) == dict.fromkeys(range(5, 0, -1), "w")
    for ask in (lambda: read_all(five), lambda: five.get("orders", "k", version=None)):
        with pytest.raises(StoreError, match="no version is current: the model of every published version was revoked"):
            ask()
    with pytest.raises(StoreError, match="no earlier version to go back to; expected one of none"):
        five.rollback("orders", to=None)
    assert publish(five, draft(6, log_seq=6), {"k": 0.6}).version == 6
    assert score(five) == 0.6


def test_versions_of_revoked_models_are_withdrawn_by_the_commit_of_their_successor(five: Store, draft: Any) -> None:
    revoked = [number * 64 for number in ("5", "4", "2", "9")]
    six = draft(6, model_sha256="6" * 64, log_seq=6, shards=2)
    stage(five, six, 0, {"k": 0.6})
    with pytest.raises(StoreError, match="1 of the 2 shards of Predict/6 are not staged"):
        five.commit(six, revoked=revoked)
    assert (marks(five), score(five)) == ({5: "*", 4: "", 3: "", 2: "", 1: ""}, 0.5)
    stage(five, six, 1, {})
    version = five.commit(six, revoked=revoked)
    assert (version.version, version.current, version.withdrawn) == (6, True, False)
    assert (marks(five), score(five)) == ({6: "*", 5: "w", 4: "w", 3: "", 2: "w", 1: ""}, 0.6)
    assert five.commit(six, revoked=["1" * 64]) == version  # what is published already changes nothing
    assert (marks(five), score(five)) == ({6: "*", 5: "w", 4: "w", 3: "", 2: "w", 1: ""}, 0.6)
    assert read_all(five, version=5) == {"k": 0.5}
    assert five.rollback("orders", to=None).version == 3


def test_no_rollback_goes_to_a_version_of_a_revoked_model(five: Store) -> None:
    revoked = ["4" * 64, "2" * 64]
    with pytest.raises(StoreError, match="the model of version 4 was revoked; expected one of 1, 3, 5"):
        five.rollback("orders", to=4, revoked=revoked)
    assert (five.rollback("orders", to=None, revoked=revoked).version, score(five)) == (3, 0.3)
    with pytest.raises(StoreError, match="no earlier version to go back to; expected one of 3, 5"):
        five.rollback("orders", to=None, revoked=[*revoked, "1" * 64])
    assert (marks(five), score(five)) == ({5: "", 4: "", 3: "*", 2: "", 1: ""}, 0.3)


def test_the_last_versions_and_the_current_one_are_kept(five: Store, draft: Any) -> None:
    five.rollback("orders", to=1)
    stage(five, draft(9, log_seq=9), 0, {"k": 0.9})  # may still be published
    stage(five, draft(8, log_seq=3), 0, {"k": 0.8})  # may not
    assert five.prune("orders", keep=2) == (2, 3)
    assert marks(five) == {5: "", 4: "", 1: "*"}
    assert [draft_.source for draft_ in five.drafts("orders")] == ["Predict/9"]
    assert five.prune("orders", keep=2) == ()
    assert read_all(five, version=4) == {"k": 0.4}
    assert five.get("orders", "k", version=3) is None
    with pytest.raises(StoreError, match="there is no version 3"):
        five.read_rows("orders", keys=None, version=3)
    assert five.commit(draft(9, log_seq=9)).version == 6
    assert five.prune("orders", keep=2) == (1, 4)


def test_less_than_two_are_never_kept(five: Store) -> None:
    with pytest.raises(
        StoreError, match="keep is 1; expected at least 2, so that readers of the version before can finish"
    ):
        five.prune("orders", keep=1)
    assert len(marks(five)) == 5
