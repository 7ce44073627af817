"""A metadata service that fails: what was decided stays decided, tags come later, and nobody waits for ever."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metadata.conftest import SECONDS

RUN = "/runs/"
WANTED = {"champion", "deployment_candidate"}


@pytest.mark.parametrize("faults", [("refused", "409"), ("cut", "500"), ("garbage", "shape")])
def test_a_tag_that_fails_at_first_is_there_in_the_end(served: Any, faults: Any) -> None:
    run = served.fresh()
    with served.proxy.once_each(faults, "PATCH"):
        done = served.place.run("judge", run)
    assert (done.code, done.err) == (0, ""), done
    assert served.history() == ["log/00000001.json"]
    assert f"{run} is tagged deployment_candidate, champion" in " ".join(done.out.split())
    assert served.tags() == WANTED


@pytest.mark.parametrize("fault", ["slow", "500"])
def test_a_tag_that_cannot_be_written_fails_nothing_and_is_repaired(served: Any, fault: Any) -> None:
    run = served.fresh()
    with served.proxy.plan(fault, "PATCH"):
        done = served.place.run("judge", run)
    assert (done.code, done.err) == (0, ""), done
    assert served.history() == ["log/00000001.json"]
    said = " ".join(done.out.split())
    assert f"the tags of {run} are not written (Metaflow cannot be reached: " in said
    again = served.place.run("judge", run)
    assert again.code == 0, again
    assert "put right: +champion +deployment_candidate" in " ".join(again.out.split())
    assert served.tags() == WANTED
    assert served.history() == ["log/00000001.json"]


@pytest.mark.parametrize("fault", ["refused", "slow", "cut", "503"])
def test_a_run_that_cannot_be_read_is_one_line_and_nothing_is_written(served: Any, fault: Any) -> None:
    run = served.fresh()
    with served.proxy.plan(fault, "GET", path=RUN):
        done = served.place.run("judge", run)
    assert (done.code, done.out) == (2, ""), done
    (line,) = done.err.splitlines()
    assert line.startswith("lockgate: Metaflow cannot be reached: ")
    assert f"expected an answer within {SECONDS:.3g} s" in line
    assert "bug" not in line
    assert (served.history(), served.tags()) == ([], set())


@pytest.mark.parametrize("words", [("evaluate",), ("predict",), ("evaluate", "--advisory")], ids=" ".join)
@pytest.mark.parametrize(
    "fault", ["slow", *(pytest.param(one, marks=pytest.mark.nightly) for one in ("refused", "503"))]
)
def test_no_flow_starts_without_metadata_and_that_is_one_line(served: Any, words: Any, fault: Any) -> None:
    served.fresh()
    before = served.trained()
    with served.proxy.plan(fault, "GET", path="/flows/"):
        done = served.place.run(*words)
    assert (done.code, done.out) == (2, ""), done
    (line,) = done.err.splitlines()
    assert line.startswith("lockgate: Metaflow cannot be reached: ")
    assert (served.history(), served.trained()) == ([], before)


def test_a_run_that_is_read_in_the_end_is_judged(served: Any) -> None:
    run = served.fresh()
    with served.proxy.once_each(("garbage", "shape", "500"), "GET", path=RUN):
        done = served.place.run("judge", run)
    assert (done.code, done.err, len(served.history())) == (0, "", 1), done
    assert served.tags() == WANTED


def test_verify_says_what_it_could_not_ask(served: Any) -> None:
    run = served.fresh()
    assert served.place.run("judge", run).code == 0
    with served.proxy.plan("slow", "GET", path=RUN):
        done = served.place.run("verify")
    assert (done.code, done.err) == (2, ""), done
    assert "runs and tags could not be held against the log: Metaflow cannot be reached" in " ".join(done.out.split())
    assert "checked 1 entry" in done.out
    assert served.place.run("verify").code == 0
