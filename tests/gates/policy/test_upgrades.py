"""Declared changes of the keys of policies: archived policies are read, files are not, and digests hold.

Tests of gates/policy/archive.py. The archive itself is tried by tests/conformance/test_archive.py. LATER stands for
what a later version declares: that some keys of today's policies are new.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from lockgate import Policy
from lockgate.gates.errors import PolicyError
from lockgate.gates.log import policies
from lockgate.gates.policy.archive import read_archived
from lockgate.gates.policy.upgrades import UPGRADES, Added, Renamed, undo_upgrades, upgrade_document
from tests.gates.conftest import Make

LATER = (
    Added(shape=2, key="min_clusters", value=10, because="ten were asked for"),
    Added(shape=2, key="clusters", value="if_present", because="they were used where there were any"),
    Added(shape=3, key="decide", kind="threshold", value="bound", because="bounds decided"),
)
WHOLE = Make.mapping(
    {
        "floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"},
        "either": {
            "kind": "any_of",
            "checks": {"a": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}},
        },
        "leakage": {"kind": "leakage"},
    }
)


def older(shape: int) -> dict[str, Any]:
    """The policy as a version of that shape kept it."""
    document = copy.deepcopy(WHOLE)
    if shape < 3:
        del document["checks"]["floor"]["decide"]
        del document["checks"]["either"]["checks"]["a"]["decide"]
    if shape < 2:
        del document["min_clusters"], document["clusters"]
    return document if shape == 1 else {"shape": shape, **document}


UPGRADES_NAME = "lockgate.gates.policy.upgrades.UPGRADES"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version that declares LATER."""
    monkeypatch.setattr(UPGRADES_NAME, LATER)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("shape", [1, 2, 3])
def test_a_policy_of_every_shape_is_read_as_what_it_meant(shape: int) -> None:
    document = older(shape)
    before = copy.deepcopy(document)
    assert read_archived(document) == Policy.parse(WHOLE)
    assert document == before


@pytest.mark.usefixtures("later")
def test_what_a_document_says_is_never_replaced() -> None:
    document = older(1) | {"min_clusters": 30}
    assert read_archived(document).min_clusters == 30


@pytest.mark.usefixtures("later")
def test_a_key_that_a_shape_has_is_missing_for_good() -> None:
    document = older(2)
    del document["clusters"]
    with pytest.raises(PolicyError, match=r"nothing given; expected a value @ policy.clusters"):
        read_archived(document)


@pytest.mark.usefixtures("later")
def test_the_digest_of_a_policy_is_what_it_was_before_the_keys_were() -> None:
    """A version of the first shape computed the digest of all that it knew, which is what is left here."""
    now = read_archived(older(1))
    assert now.digest == Policy.parse(WHOLE).digest
    said = json.loads(now.model_dump_json(exclude={"checks"}))
    assert {"min_clusters", "clusters"} <= set(said)
    left = undo_upgrades({**said, "checks": WHOLE["checks"]})
    assert not {"min_clusters", "clusters"} & set(left)
    assert left["checks"]["floor"] == older(1)["checks"]["floor"]
    assert left["checks"]["either"] == older(1)["checks"]["either"]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(("key", "value"), [("min_clusters", 11), ("clusters", "ignore")])
def test_a_policy_that_means_something_else_has_another_digest(key: str, value: Any) -> None:
    assert Policy.parse({**WHOLE, key: value}).digest != Policy.parse(WHOLE).digest


def test_a_value_of_another_type_is_another_value() -> None:
    added = Added(shape=2, key="looks", value=1, because="x")
    assert added.undo({"looks": 1}) == {}
    assert added.undo({"looks": True}) == {"looks": True}
    assert added.undo({"looks": 1.0}) == {"looks": 1.0}


@pytest.mark.usefixtures("later")
def test_files_of_people_must_give_every_key_and_are_told_which_value_keeps_the_meaning() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(older(1))
    keeps = "keeps what a policy without it meant"
    assert caught.value.problems == (
        f"nothing given; expected a value @ gate.clusters (if_present {keeps}: they were used where there were any)",
        f"nothing given; expected a value @ gate.min_clusters (10 {keeps}: ten were asked for)",
        f"nothing given; expected a value @ gate.checks.floor.decide (bound {keeps}: bounds decided)",
        f"nothing given; expected a value @ gate.checks.either.checks.a.decide (bound {keeps}: bounds decided)",
    )


@pytest.mark.usefixtures("later")
def test_policies_are_kept_with_their_shape_and_read_again() -> None:
    blob = policies.policy_bytes(Policy.parse(WHOLE))
    assert blob.startswith(b'{"shape":3,')
    assert read_archived(json.loads(blob)) == Policy.parse(WHOLE)
    assert Policy.parse(json.loads(blob)) == Policy.parse(WHOLE)  # as a file, too, while it is of this version
    with pytest.raises(PolicyError, match="unknown key 'shape'"):
        Policy.parse(WHOLE | {"shape": 2})


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        (
            7,
            r"a newer lockgate kept this policy: it is of shape 7; expected 3 or less",
        ),
        (0, r"got '0'; expected the number of a shape @ policy.shape"),
        (True, r"got 'True'; expected the number of a shape @ policy.shape"),
        ("2", r"got '2'; expected the number of a shape @ policy.shape"),
        (None, r"got 'None'; expected the number of a shape @ policy.shape"),
    ],
)
def test_a_shape_that_is_newer_or_none_is_refused_in_one_line(shape: Any, problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        read_archived({**WHOLE, "shape": shape})


@pytest.mark.parametrize("document", [None, [], "policy", 3])
def test_what_is_no_mapping_is_refused(document: Any) -> None:
    with pytest.raises(PolicyError, match="is no policy; expected a mapping @ policy"):
        read_archived(document)


def test_a_key_is_renamed_with_its_value_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = (Renamed(shape=2, key="metric", before="measure", kind="threshold", because="one word for one thing"),)
    monkeypatch.setattr(UPGRADES_NAME, renamed)
    document = {"checks": {"a": {"kind": "threshold", "measure": "auc"}, "b": {"kind": "leakage", "measure": 1}}}
    now = upgrade_document(document, 1)
    assert now == {"checks": {"a": {"kind": "threshold", "metric": "auc"}, "b": {"kind": "leakage", "measure": 1}}}
    assert undo_upgrades(now) == document
    assert upgrade_document(now, 2) == now


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("checks", [None, [], {"a": 1}, {"a": {"kind": []}}, {"a": {"kind": "any_of", "checks": 3}}])
def test_what_is_no_policy_stays_what_it_is_until_it_is_parsed(checks: Any) -> None:
    assert upgrade_document({"checks": checks, "min_clusters": 1, "clusters": 1}, 1)["checks"] == checks
    with pytest.raises(PolicyError):
        read_archived({**older(1), "checks": checks})


def test_the_table_is_in_order_and_says_why() -> None:
    assert [upgrade.shape for upgrade in UPGRADES] == sorted(upgrade.shape for upgrade in UPGRADES)
    assert all(upgrade.because and upgrade.shape > 1 for upgrade in UPGRADES)
    assert len({(upgrade.kind, upgrade.key) for upgrade in UPGRADES}) == len(UPGRADES)
