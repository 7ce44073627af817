"""What starts which of the workflows, and what they are allowed then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.configuration import ROOT
from tests.harness.github.hub import Environment, Hub, hub
from tests.harness.github.image import image

FAILS = '#!/bin/sh\necho "$0 $*"\nexit 2\n'


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """The repository as it is; `lockgate` fails."""
    with ExitStack() as stack:

        def make(**variables: str) -> Hub:
            environments = {"promotion": Environment(("main",), {"LOCKGATE_SIGNING_KEY": "k"})}
            repository = stack.enter_context(
                hub(tmp_path / "github", ROOT, variables=variables, environments=environments)
            )
            repository.image = image(tmp_path / "image", lockgate=FAILS)
            return repository

        yield make


def test_at_night_what_takes_minutes_is_run(github: Callable[..., Hub]) -> None:
    (name, run), *others = github().run_schedule().items()
    assert (name, others, run.conclusion, run.cancels) == ("nightly", [], "success", True)
    assert 'pytest -m "nightly or slow"' in run.jobs["nightly"].out
    assert run.jobs["nightly"].rights == {"contents": "read"}


def test_a_branch_starts_nothing(github: Callable[..., Hub]) -> None:
    assert github(LOCKGATE_PROMOTION="on").push("other", {"a": ""}, author="eve") == {}


def test_nothing_is_promoted_before_that_is_switched_on(github: Callable[..., Hub]) -> None:
    repository = github()
    runs = repository.push("main", {"a": ""}, author="ada")
    assert {name: run.conclusion for name, run in runs.items()} == {"ci": "success", "promote": "success"}
    assert runs["promote"].jobs["promote"].result == "skipped"
    assert (runs["promote"].group, runs["promote"].cancels) == ("promote", False)
    assert repository.identities.issued == {}


def test_a_promotion_that_fails_is_one(github: Callable[..., Hub]) -> None:
    """Here because nobody can log in: there is no platform."""
    run = github(LOCKGATE_PROMOTION="on").push("main", {"a": ""}, author="ada")["promote"]
    assert run.conclusion == "failure"
    assert [step.conclusion for step in run.jobs["promote"].steps[-5:]] == [
        "failure",
        "skipped",
        "skipped",
        "skipped",
        "success",
    ]
    assert run.artifacts.archives == {}


def test_a_pull_request_of_a_broken_branch_fails_and_says_nothing(github: Callable[..., Hub]) -> None:
    repository = github()
    pull, runs = repository.open_pull("b", {"a": ""}, author="ada")
    results = {name: job.result for name, job in runs["evaluate"].jobs.items()}
    assert results == {"champion": "failure", "propose": "skipped", "review": "failure", "comment": "skipped"}
    assert repository.api.comments_of(pull.number) == []
    assert runs["evaluate"].cancels


@pytest.mark.parametrize("check", ["check", pytest.param("test", marks=pytest.mark.nightly)])
def test_the_one_check_that_is_asked_for_fails_with_any_other(github: Callable[..., Hub], check: str) -> None:
    repository = github()
    broken = repository.repository.git("show", "main:Makefile").replace(
        f"\n{check}:", f"\n{check}: nothing-makes-this "
    )
    pull, runs = repository.open_pull("b", {"Makefile": broken}, author="ada")
    results = {name: job.result for name, job in runs["ci"].jobs.items()}
    others = {"check", "test", "commands"} - {check}
    assert results == {check: "failure", **dict.fromkeys(others, "success"), "ci": "failure"}
    queued = repository.enqueue(pull)
    assert {name: run.conclusion for name, run in queued.items()} == {"ci": "failure"}
