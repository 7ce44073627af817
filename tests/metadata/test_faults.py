"""A metadata service that fails: what was decided stays decided, tags come later, and nobody waits for ever.

Tests of gates/runs/metadata.py and gates/runs/tagging.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.metadata.conftest import METADATA_TIMEOUT_S

RUN = "/runs/"
CHAMPION_TAGS = {"champion", "deployment_candidate"}


@pytest.mark.parametrize("faults", [("refused", "409"), ("cut", "500"), ("garbage", "shape")])
def test_a_tag_that_fails_at_first_is_there_in_the_end(service_project: Any, faults: Any) -> None:
    run = service_project.fresh()
    with service_project.proxy.once_each(faults, "PATCH"):
        result = service_project.place.run("judge", run)
    assert (result.code, result.err) == (0, ""), result
    assert service_project.history() == ["log/00000001.json"]
    assert f"{run} is tagged deployment_candidate, champion" in " ".join(result.out.split())
    assert service_project.tags() == CHAMPION_TAGS


@pytest.mark.parametrize("fault", [pytest.param("slow", marks=pytest.mark.nightly), "500"])
def test_a_tag_that_cannot_be_written_fails_nothing_and_is_repaired(service_project: Any, fault: Any) -> None:
    run = service_project.fresh()
    with service_project.proxy.plan(fault, "PATCH"):
        result = service_project.place.run("judge", run)
    assert (result.code, result.err) == (0, ""), result
    assert service_project.history() == ["log/00000001.json"]
    printed = " ".join(result.out.split())
    assert f"the tags of {run} are not written (Metaflow cannot be reached: " in printed
    again = service_project.place.run("judge", run)
    assert again.code == 0, again
    assert "put right: +champion +deployment_candidate" in " ".join(again.out.split())
    assert service_project.tags() == CHAMPION_TAGS
    assert service_project.history() == ["log/00000001.json"]


@pytest.mark.parametrize(
    "fault", ["refused", *(pytest.param(fault, marks=pytest.mark.nightly) for fault in ("slow", "cut", "503"))]
)
def test_a_run_that_cannot_be_read_is_one_line_and_nothing_is_written(service_project: Any, fault: Any) -> None:
    run = service_project.fresh()
    with service_project.proxy.plan(fault, "GET", path=RUN):
        result = service_project.place.run("judge", run)
    assert (result.code, result.out) == (2, ""), result
    (line,) = result.err.splitlines()
    assert line.startswith("lockgate: Metaflow cannot be reached: ")
    assert f"expected an answer within {METADATA_TIMEOUT_S:.3g} s" in line
    assert "bug" not in line
    assert (service_project.history(), service_project.tags()) == ([], set())


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate",),
        pytest.param(("predict",), marks=pytest.mark.nightly),
        pytest.param(("evaluate", "--advisory"), marks=pytest.mark.nightly),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "fault", ["slow", *(pytest.param(fault, marks=pytest.mark.nightly) for fault in ("refused", "503"))]
)
def test_no_flow_starts_without_metadata_and_that_is_one_line(service_project: Any, words: Any, fault: Any) -> None:
    service_project.fresh()
    before = service_project.training_runs()
    with service_project.proxy.plan(fault, "GET", path="/flows/"):
        result = service_project.place.run(*words)
    assert (result.code, result.out) == (2, ""), result
    (line,) = result.err.splitlines()
    assert line.startswith("lockgate: Metaflow cannot be reached: ")
    assert (service_project.history(), service_project.training_runs()) == ([], before)


def test_a_run_that_is_read_in_the_end_is_judged(service_project: Any) -> None:
    run = service_project.fresh()
    with service_project.proxy.once_each(("garbage", "shape", "500"), "GET", path=RUN):
        result = service_project.place.run("judge", run)
    assert (result.code, result.err, len(service_project.history())) == (0, "", 1), result
    assert service_project.tags() == CHAMPION_TAGS


@pytest.mark.nightly
def test_verify_says_what_it_could_not_ask(service_project: Any) -> None:
    run = service_project.fresh()
    assert service_project.place.run("judge", run).code == 0
    with service_project.proxy.plan("slow", "GET", path=RUN):
        result = service_project.place.run("verify")
    assert (result.code, result.err) == (2, ""), result
    assert "runs and tags could not be compared with the log: Metaflow cannot be reached" in " ".join(
        result.out.split()
    )
    assert "checked 1 entry" in result.out
    assert service_project.place.run("verify").code == 0
