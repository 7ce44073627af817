"""`lockgate comment`: one comment, updated in its place, against GitHub's API over HTTP by the real client.

Tests of pipelines/cli/pull_requests/comment.py
Tests of pipelines/github/client.py
Tests of pipelines/github/comments.py
Tests of pipelines/github/event.py
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import GithubError
from lockgate.pipelines.github import client
from lockgate.pipelines.github.comments import (
    MAX_COMMENT_LENGTH,
    CommentResult,
    ReportStamp,
    publish_report,
    shorten_report,
)
from tests.github.api import BOT, REPOSITORY, State, serve_github

TOKEN = "ghs_s3cr3t-c4n4ry"
HEAD = "a" * 40


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    with serve_github() as state:
        state.heads[7] = "a" * 40
        state.tokens = {
            TOKEN: (BOT, {"pull-requests": "write"}),
            "reads": (BOT, {"pull-requests": "read"}),
            "ada's": ("ada", {"pull-requests": "write"}),
        }
        for name, value in {
            "GITHUB_API_URL": state.url,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_ACTIONS": "true",
            "LOCKGATE_GITHUB_WAIT_SECONDS": "0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield state


def report(text: str, run: int = 1, *, attempt: int = 1, head: str = HEAD) -> CommentResult:
    pull = client.fetch_pull(REPOSITORY, 7)
    stamp = ReportStamp(run=run, attempt=attempt, head=head)
    return publish_report(pull, text, stamp=stamp, login=client.find_login(), where="acme/models#7", settle=0.5)


def texts(api: State) -> list[str]:
    """What the bot's comments say, without the mark."""
    return [body.partition("\n")[2] for body in api.bodies()]


def test_it_is_made_once_and_updated_afterwards(api: State) -> None:
    first = report("## HOLD")
    again = report("## PROMOTE", run=2)
    assert (first.outcome, again.outcome, first.address) == ("written", "written", again.address)
    assert texts(api) == ["## PROMOTE"]
    assert [request.split()[0] for request in api.writes()] == ["POST", "PATCH"]
    assert report("## PROMOTE", run=2).outcome == "written"
    assert len(api.writes()) == 2  # it says that already


def test_an_earlier_run_and_an_older_commit_write_nothing(api: State) -> None:
    report("newer", run=5, attempt=2)
    for run, attempt in ((4, 9), (5, 1)):
        assert report("older", run=run, attempt=attempt).outcome == "not written: a later run has reported"
    api.heads[7] = "b" * 40
    assert report("old", run=9).outcome == "not written: aaaaaaaaaaaa is no longer the head"
    assert texts(api) == ["newer"]


def test_only_its_own_comment_counts(api: State) -> None:
    """Somebody else pastes the mark, the bot says other things, and there are three pages of both."""
    mark = ReportStamp(run=99, attempt=1, head=HEAD).mark
    for number in range(250):
        api.write("mallory" if number % 2 else BOT, f"{mark}\nnot this" if number % 2 else f"about {number} {mark}")
    assert report("## HOLD").outcome == "written"
    assert len(api.comments) == 251
    assert report("## PROMOTE", run=2).outcome == "written"
    assert len(api.comments) == 251
    assert sum("## PROMOTE" in body for body in api.bodies()) == 1
    assert all("not this" in body for body in api.bodies("mallory"))


def test_of_jobs_that_write_at_once_the_last_run_stays_in_one_comment(api: State) -> None:
    with ThreadPoolExecutor(8) as jobs:
        outcomes = list(jobs.map(lambda run: report(f"run {run}", run=run).outcome, range(1, 9)))
    assert set(outcomes) <= {"written", "not written: a later run has reported"}
    assert texts(api) == ["run 8"]


def test_one_that_was_deleted_meanwhile_is_made_again(api: State) -> None:
    report("first")
    api.meanwhile = api.comments.clear
    assert report("second", run=2).outcome == "written"
    assert texts(api) == ["second"]


@pytest.mark.parametrize("fault", ["lost", "dropped", 502, "limit"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_request_that_goes_wrong_makes_no_second_comment(api: State, method: str, fault: int | str) -> None:
    """It is tried again, or it is one line, and the next job finds what there is."""
    if method == "PATCH":
        report("before", run=1)
    api.faults = [(method, fault)]
    message = ""
    try:
        report("after", run=2)
    except GithubError as err:
        message = str(err)
        report("after", run=2)
    assert texts(api) == ["after"]
    assert len(message.splitlines()) <= 1
    assert TOKEN not in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"GITHUB_TOKEN": "reads"}, "GitHub answers 403: Resource not accessible by integration"),
        ({"GITHUB_TOKEN": "wrong"}, "GitHub answers 401: Bad credentials"),
        ({"GITHUB_TOKEN": ""}, "no token is set"),
        ({"GITHUB_API_URL": "http://127.0.0.1:9"}, "GitHub cannot be reached"),
    ],
)
def test_what_it_may_not_write_is_one_line(
    api: State, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], message: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(GithubError) as err:
        report("text")
    assert message in str(err.value)
    assert len(str(err.value).splitlines()) == 1
    assert api.comments == {}


def test_a_long_report_is_cut_between_blocks_and_says_so(api: State) -> None:
    block = "<details>\n\n" + "| cell | cell |\n" * 40 + "\n"
    assert report(block * 200).outcome == "written"
    (text,) = texts(api)
    assert len(text) <= MAX_COMMENT_LENGTH
    assert text.endswith("the job's summary and its artifacts have all of it.\n")
    assert text.rindex("</details>") > text.rindex("| cell")
    assert shorten_report("short") == "short"
    assert len(shorten_report("x" * 10**6)) <= MAX_COMMENT_LENGTH
    assert shorten_report("```sh\n" + "x\n\n" * 40_000).count("```") == 2


def command(folder: Path, *words: str, event: Any = None, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "12",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_ACTIONS": "true",
        "GITHUB_TOKEN": TOKEN,
        **env,
    }
    process = subprocess.run(
        [sys.executable, "-m", "lockgate.pipelines.cli.main", "comment", *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert TOKEN not in process.stdout + process.stderr
    return process


def pull_event(**changes: Any) -> dict[str, Any]:
    head = {"sha": HEAD, "ref": "$(touch canary)", "repo": {"full_name": REPOSITORY}} | changes
    return {"action": "opened", "pull_request": {"number": 7, "title": "`touch canary`", "head": head}}


def test_a_job_comments_on_its_own_pull_request(api: State, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("## 🟢 PROMOTE\n", encoding="utf-8")
    digest = hashlib.sha256(report.read_bytes()).hexdigest()
    process = command(tmp_path, "report.md", "--sha256", digest, event=pull_event(), GITHUB_API_URL=api.url)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == f"written https://github.example/{REPOSITORY}/pull/7#issuecomment-1\n"
    report.write_text("## 🟢 PROMOTE, honestly\n", encoding="utf-8")
    swapped = command(tmp_path, "report.md", "--sha256", digest, event=pull_event(), GITHUB_API_URL=api.url)
    assert (swapped.returncode, len(swapped.stderr.splitlines())) == (2, 1)
    assert "it was changed after the review" in swapped.stderr
    assert texts(api) == ["## 🟢 PROMOTE\n"]
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("repo", [{"full_name": "mallory/models"}, None], ids=["fork", "deleted fork"])
def test_of_a_fork_nothing_is_written(api: State, tmp_path: Path, repo: dict[str, str] | None) -> None:
    (tmp_path / "report.md").write_text("text", encoding="utf-8")
    process = command(tmp_path, "report.md", event=pull_event(repo=repo), GITHUB_API_URL=api.url, GITHUB_TOKEN=TOKEN)
    assert process.returncode == 0
    assert process.stdout == "not written: the pull request comes from a fork; see the job's summary\n"
    assert api.requests == []


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "the event does not belong to a pull request"),
        ({"ref": "refs/heads/main"}, "the event does not belong to a pull request"),
        (pull_event(sha="main; touch canary"), "the event does not belong to a pull request"),
    ],
    ids=["null", "push", "sha"],
)
def test_a_job_of_no_pull_request_is_one_line(tmp_path: Path, event: Any, message: str) -> None:
    (tmp_path / "report.md").write_text("text", encoding="utf-8")
    process = command(tmp_path, "report.md", event=event)
    assert (process.returncode, process.stdout, len(process.stderr.splitlines())) == (2, "", 1)
    assert message in process.stderr


def test_a_person_may_call_it_too(api: State, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("by hand", encoding="utf-8")
    mine = {"GITHUB_TOKEN": "ada's", "GITHUB_ACTIONS": "", "GITHUB_RUN_ID": "", "GITHUB_API_URL": api.url}
    for text in ("by hand", "again"):
        (tmp_path / "report.md").write_text(text, encoding="utf-8")
        process = command(tmp_path, "report.md", "--pull", "7", "--repository", REPOSITORY, **mine)
        assert process.returncode == 0, process.stderr
    assert [body.partition("\n")[2] for body in api.bodies("ada")] == ["again"]
    wrong = command(tmp_path, "report.md", "--pull", "7", "--repository", "acme/../x", **mine)
    assert "is not a repository" in wrong.stderr
