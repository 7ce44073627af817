"""Two projects whose runs are in one place: tags follow the log of their own project, and of what is unknown stay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.cli.log.test_verify import blob, erase, index, swap, tag, twin, verified

OWN, OTHER = "project:lockgate_orders", "project:lockgate_parcels"


def system(project: Any, run: str, *tags: str) -> None:
    """Write the system tags of a run that say whose it is where Metaflow keeps them."""
    file = project.home / ".metaflow" / run / "_meta" / "_self.json"
    meta = json.loads(file.read_bytes())
    rest = [system_tag for system_tag in meta["system_tags"] if not system_tag.startswith("project:")]
    file.write_text(json.dumps(meta | {"system_tags": [*rest, *tags]}), encoding="utf-8")


def foreign(project: Any, run: str, number: int, *owner: str, facts: str | None = "", user: tuple[str, ...]) -> str:
    """A copy of a run with these tags, whose owner Metaflow names so. facts: the project they say; None: erased."""
    other = twin(project, run, number)
    if facts:
        swap(project, other, facts=json.dumps({"project": facts}))
    elif facts is None:
        swap(project, other, facts=f"{number}")  # bytes of its own
        erase(project, other, "facts")
    tag(project, other, user=[*user])
    system(project, other, *owner)
    return other


def test_metaflow_s_own_tag_says_whose_a_run_is(promoted_project: Any) -> None:
    (run,) = promoted_project.runs()
    meta = json.loads((promoted_project.home / ".metaflow" / run / "_meta" / "_self.json").read_bytes())
    assert [system_tag for system_tag in meta["system_tags"] if system_tag.startswith("project:")] == [OWN]


@pytest.mark.parametrize(
    ("owner", "facts", "message"),
    [
        ((OTHER,), None, "is of Metaflow's project 'lockgate_parcels': its tags follow another log"),
        ((OTHER,), "orders", "is of Metaflow's project 'lockgate_parcels': its tags follow another log"),
        ((OWN, OTHER), "orders", "is of Metaflow's project 'lockgate_parcels': its tags follow another log"),
        ((OWN,), "parcels", "says that it is of project 'parcels': its tags follow another log"),
        ((), "parcels", "says that it is of project 'parcels': its tags follow another log"),
    ],
    ids=["erased", "claimed", "both", "other facts", "no tag"],
)
def test_a_run_of_another_project_is_left_alone_and_named(
    promoted: Any, owner: tuple[str, ...], facts: str | None, message: str
) -> None:
    (run,) = promoted.runs()
    other = foreign(promoted, run, 71, *owner, facts=facts, user=("champion", "deployment_candidate", "mine"))
    code, report = verified(promoted, "--fix-tags")
    assert (code, report["deviations"], report["fixed"]) == (0, [], [])
    (note,) = [note for note in report["notes"] if other in note]
    assert message in note
    assert promoted.tags(other) == ["champion", "deployment_candidate", "mine"]


@pytest.mark.parametrize("owner", [(), (OWN,)], ids=["no tag", "our name, a datastore elsewhere"])
def test_a_run_of_an_unknown_project_is_left_alone_and_named(promoted: Any, owner: tuple[str, ...]) -> None:
    """Unknown is never own; that somebody put our tags there is a deviation all the same."""
    (run,) = promoted.runs()
    other = foreign(promoted, run, 71, *owner, facts=None, user=("champion", "mine"))
    code, report = verified(promoted, "--fix-tags")
    (deviation,) = report["deviations"]
    assert (code, report["fixed"], deviation["about"], deviation["where"]) == (2, [], "tags", other)
    assert deviation["said"] == (
        "has champion, which it should not have according to the log; it is of an unknown project"
        " (its facts cannot be read: the artifact's bytes are gone from the datastore),"
        " so its tags are left as they are"
    )
    assert promoted.tags(other) == ["champion", "mine"]


@pytest.mark.parametrize(("owner", "facts"), [((OWN,), ""), ((), "orders")])
def test_a_run_that_is_ours_is_put_right(promoted: Any, owner: tuple[str, ...], facts: str | None) -> None:
    """Also where Metaflow does not say whose it is."""
    (run,) = promoted.runs()
    forged = foreign(promoted, run, 71, *owner, facts=facts, user=("champion", "mine"))
    code, report = verified(promoted, "--fix-tags")
    assert (code, report["fixed"]) == (0, [f"{forged} -champion"])
    assert promoted.tags(forged) == ["mine"]


def test_a_user_tag_says_nothing_of_the_owner(promoted: Any) -> None:
    """Anybody can put one on any run; Metaflow's own are another list."""
    (run,) = promoted.runs()
    other = foreign(promoted, run, 71, OTHER, facts=None, user=("champion", OWN))
    forged = foreign(promoted, run, 72, OWN, user=("champion", OTHER))
    code, report = verified(promoted, "--fix-tags")
    assert (code, report["fixed"]) == (0, [f"{forged} -champion -{OTHER}"])
    assert promoted.tags(other) == ["champion", OWN]


@pytest.mark.parametrize(
    ("owner", "facts", "message"),
    [
        ((OTHER,), "", "is of Metaflow's project 'lockgate_parcels'"),
        ((), None, "is of an unknown project (its facts cannot be read: the artifact's bytes are"),
    ],
)
def test_a_run_of_the_log_that_is_another_s_by_now_is_named_and_left_alone(
    promoted: Any, owner: tuple[str, ...], facts: str | None, message: str
) -> None:
    """Numbers of runs begin anew with a metadata service; the log goes on."""
    (run,) = promoted.runs()
    if facts is None:
        erase(promoted, run, "facts")
    tag(promoted, run, user=["held"])
    system(promoted, run, *owner)
    code, report = verified(promoted, "--fix-tags")
    assert (code, report["fixed"]) == (2, [])
    (deviation,) = report["deviations"]
    assert (deviation["about"], deviation["where"]) == ("tags", run)
    assert "lacks champion, deployment_candidate" in deviation["said"]
    assert f"; it {message}" in deviation["said"]
    assert deviation["said"].endswith(", so its tags are left as they are")
    assert promoted.tags(run) == ["held"]


@pytest.mark.parametrize(
    "verb", ["judge", *(pytest.param(verb, marks=pytest.mark.nightly) for verb in ("revoke", "retract"))]
)
def test_no_command_tags_a_run_that_is_another_s(promoted: Any, verb: str) -> None:
    (run,) = promoted.runs()
    tag(promoted, run, user=["held"])
    system(promoted, run, OTHER)
    words = {"judge": [run], "revoke": [run, "--reason", "x"], "retract": ["--metric", "auc", "--reason", "x"]}[verb]
    completed = promoted.run(verb, *words)
    assert completed.returncode == 0, completed.stderr
    message = f"the tags of {run} are left as they are: the run is of Metaflow's project 'lockgate_parcels'"
    assert message in " ".join(completed.stdout.split())
    assert promoted.tags(run) == ["held"]


OWNERSHIP = """
import sys
from lockgate.gates import runs
for owner, project, logged in (line.split() for line in sys.argv[2:]):
    system = [f"project:{owner}", "user:ada"]
    print(runs.find_owner(sys.argv[1], system, project=project, logged=logged == "logged").owner)
"""


def test_two_projects_that_are_one_to_metaflow_are_told_apart_by_their_facts(promoted: Any) -> None:
    (run,) = promoted.runs()
    results = [
        "lockgate_a_b a-b logged",
        "lockgate_a_b a-b not",
        "lockgate_a_b a_b not",
        "lockgate_ab ab not",
        "lockgate_ab a-b not",
        "lockgate_a_b ab logged",
        "lockgate_ab ab logged",
    ]
    for facts, owners in (
        ("a_b", ["other", "other", "own", "other", "other", "other", "own"]),
        (None, ["unknown", "unknown", "unknown", "unknown", "other", "other", "own"]),
    ):
        if facts:
            swap(promoted, run, facts=json.dumps({"project": facts}))
        else:
            erase(promoted, run, "facts")
        completed = promoted.python("-c", OWNERSHIP, run, *results)
        assert completed.stdout.split() == owners, completed


@pytest.fixture(scope="module")
def parcels_conf(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path) -> Path:
    """The same table, under another project."""
    conf = tmp_path_factory.mktemp("parcels") / "conf"
    shutil.copytree(orders_conf, conf)
    file = conf / "data" / "orders.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("project: orders", "project: parcels"), encoding="utf-8")
    return conf


@pytest.mark.nightly
def test_two_projects_in_one_place(promoted: Any, parcels_conf: Path) -> None:
    """Both were promoted by their own log, and the facts of both are gone: neither takes the other's tags."""
    parcels = type(promoted)(home=promoted.home, conf=parcels_conf)
    completed = parcels.run("evaluate", "seed=1")
    assert completed.returncode == 0, completed.stderr
    ours, theirs = promoted.runs()[0], promoted.runs()[-1]
    for run in (ours, theirs):
        erase(promoted, run, "facts")
    for project, other in ((promoted, theirs), (parcels, ours)):
        code, report = verified(project, "--fix-tags")
        assert (code, report["deviations"], report["fixed"]) == (0, [], [])
        assert any(other in note for note in report["notes"])
    for run in (ours, theirs):
        assert promoted.tags(run) == ["champion", "deployment_candidate"]
        assert not blob(promoted, json.loads(index(promoted, run).read_bytes())["objects"]["facts"]).exists()
