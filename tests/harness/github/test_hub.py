"""The harness does what GitHub does: tried with small workflows in a small repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.github.documents import RejectedByGitHubError
from tests.harness.github.expressions import ExpressionError
from tests.harness.github.hub import Environment, Hub, Run, hub
from tests.harness.github.repository import ConflictError

pytestmark = pytest.mark.nightly

HEAD = (
    "name: w\non: {push: {}, pull_request: {}}\npermissions: {contents: read}\ndefaults: {run: {shell: bash}}\njobs:\n"
)
JOB = "  one:\n    runs-on: ubuntu-24.04\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """A repository with one workflow, w.yml, of this text."""
    with ExitStack() as stack:

        def make(text: str, **settings: Any) -> Hub:
            folder = tmp_path / "source"
            (folder / ".github" / "workflows").mkdir(parents=True)
            (folder / ".github" / "workflows" / "w.yml").write_text(text, encoding="utf-8")
            (folder / "file.txt").write_text("one\n", encoding="utf-8")
            subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
            return stack.enter_context(hub(tmp_path / "github", folder, **settings))

        yield make


@pytest.fixture
def ran(small: Callable[..., Hub]) -> Callable[..., Run]:
    """The run that a push starts, of jobs (or of the steps of one) and a repository's settings."""

    def run(jobs: str, **settings: Any) -> Run:
        text = HEAD + (jobs if jobs.lstrip().split(":")[0].isidentifier() else f"{JOB}    steps:\n{jobs}")
        return small(text, **settings).push("main", {"file.txt": "two\n"}, author="ada")["w"]

    return run


def test_a_failed_step_ends_the_job_but_for_what_runs_all_the_same(ran: Callable[..., Run]) -> None:
    job = ran("""
      - run: echo ok
      - run: 'false'
      - run: echo no
      - {run: echo failed, if: failure()}
      - {run: echo always, if: always()}
      - {run: echo no, if: "1 == 1"}
""").jobs["one"]
    assert (job.result, job.out.replace("Error: ", "").split("\n")[0]) == ("failure", "ok")
    assert [step.conclusion for step in job.steps] == ["success", "failure", "skipped", "success", "success", "skipped"]


@pytest.mark.parametrize(
    ("shell", "command", "passes"),
    [
        ("bash", "false | true", False),
        ("bash", "false; true", False),
        ("bash", "test -z $nothing", True),
        ("sh", "false; true", False),
        ("sh", "false | true", True),
    ],
)
def test_a_shell_ends_at_the_first_failure(ran: Callable[..., Run], shell: str, command: str, *, passes: bool) -> None:
    assert (ran(f"      - {{run: '{command}', shell: {shell}}}").conclusion == "success") == passes


def test_without_a_shell_the_end_of_a_pipe_decides(small: Callable[..., Hub]) -> None:
    text = HEAD.replace("defaults: {run: {shell: bash}}\n", "") + JOB + "    steps: [{run: 'false | true'}]\n"
    assert small(text).push("main", {"a": ""}, author="ada")["w"].conclusion == "success"


def test_a_step_hands_on_outputs_variables_and_a_path(ran: Callable[..., Run]) -> None:
    job = ran("""
      - id: first
        env: {MINE: only here}
        run: |
          echo said=$MINE >> $GITHUB_OUTPUT
          echo NAME=value >> $GITHUB_ENV
          echo GITHUB_REF=mine >> $GITHUB_ENV
          mkdir bin; printf '#!/bin/sh\\necho found' > bin/tool; chmod +x bin/tool
          echo "$PWD/bin" >> $GITHUB_PATH
          echo "# summary" >> $GITHUB_STEP_SUMMARY
      - run: echo "[$MINE] $NAME $GITHUB_REF $SAID $(tool) $(cat $GITHUB_OUTPUT)"
        env: {SAID: "${{ steps.first.outputs.said }} ${{ env.NAME }}"}
""").jobs["one"]
    assert job.steps[1].out == "[] value refs/heads/main only here value found \n"
    assert job.summary == "# summary\n"
    assert [annotation.message for annotation in job.annotations] == [
        "Can't update GITHUB_REF environment variable using $GITHUB_ENV"
    ]


def test_what_may_fail_says_so_only_in_its_outcome(ran: Callable[..., Run]) -> None:
    job = ran("""
      - {id: may, run: 'false', continue-on-error: true}
      - run: echo "$IT"
        env: {IT: "${{ steps.may.outcome }} ${{ steps.may.conclusion }}"}
""").jobs["one"]
    assert (job.result, job.steps[1].out) == ("success", "failure success\n")


def test_jobs_wait_for_what_they_need(ran: Callable[..., Run]) -> None:
    ends = "{runs-on: x, needs: [%s], %s steps: [{run: 'echo ${{ join(needs.*.result) }}'}]}\n"
    run = ran(
        f"{JOB}    outputs: {{a: '${{{{ steps.s.outputs.a }}}}'}}\n"
        "    steps: [{id: s, run: 'echo a=7 >> $GITHUB_OUTPUT'}, {run: 'exit 1'}]\n"
        "  good: {runs-on: x, steps: [{run: 'true'}]}\n"
        f"  after: {ends % ('one', '')}"
        f"  later: {ends % ('after', '')}"
        f"  failed: {ends % ('later', 'if: failure(),')}"
        f"  all: {ends % ('good, one, later', 'if: always(),')}"
        f"  read: {ends % ('one', 'if: needs.one.outputs.a == 7 && !cancelled(),')}"
        f"  fine: {ends % ('good', '')}"
    )
    results = {name: job.result for name, job in run.jobs.items()}
    assert results == {
        "one": "failure",
        "good": "success",
        "after": "skipped",
        "later": "skipped",
        "failed": "success",
        "all": "success",
        "read": "success",
        "fine": "success",
    }
    assert run.jobs["all"].out == "success,failure,skipped\n"


@pytest.mark.parametrize("line", ["word", "a<<X\nnever closed"])
def test_an_output_that_is_none_fails_the_step(ran: Callable[..., Run], line: str) -> None:
    assert ran(f"      - run: printf '{line!r}' >> $GITHUB_OUTPUT".replace("''", "'")).conclusion == "failure"


def test_a_step_has_its_time(ran: Callable[..., Run]) -> None:
    job = ran("      - {run: sleep 60, timeout-minutes: 0.01}").jobs["one"]
    assert (job.result, "timed out" in job.out) == ("failure", True)


def test_a_summary_has_its_size(ran: Callable[..., Run]) -> None:
    job = ran("      - run: head -c 1100000 /dev/zero | tr '\\0' x >> $GITHUB_STEP_SUMMARY").jobs["one"]
    assert (job.summary, len(job.annotations)) == ("", 1)


def test_text_that_is_pasted_into_a_script_is_run(small: Callable[..., Hub]) -> None:
    """So a workflow that pastes is found out."""
    step = "      - {run: 'echo ${{ github.head_ref }}'}\n      - {run: 'echo $GITHUB_HEAD_REF'}\n"
    _, runs = small(f"{HEAD}{JOB}    steps:\n{step}").open_pull("$(echo${IFS}pwned)", {"a": ""}, author="eve")
    assert [step.out for step in runs["w"].jobs["one"].steps] == ["pwned\n", "$(echo${IFS}pwned)\n"]


RIGHTS = """
    environment: prod
    permissions: {contents: read, pull-requests: write, id-token: write}
    steps:
      - run: echo "[$ACTIONS_ID_TOKEN_REQUEST_URL] $ALL"
        env: {ALL: "${{ secrets.OF_ALL }} ${{ secrets.OF_PROD }} ${{ vars.V }} ${{ github.token }}"}
"""


@pytest.mark.parametrize(("fork", "rights"), [(False, "write"), (True, "read")])
def test_a_fork_gets_nothing_but_the_right_to_read(small: Callable[..., Hub], *, fork: bool, rights: str) -> None:
    github = small(
        HEAD + JOB + RIGHTS,
        secrets={"OF_ALL": "s1"},
        variables={"V": "v1"},
        environments={"prod": Environment(("main", "refs/pull/7/merge"), {"OF_PROD": "s2"})},
    )
    _, runs = github.open_pull("b", {"a": ""}, author="eve", fork=fork)
    job = runs["w"].jobs["one"]
    assert job.rights == {"contents": "read", "pull-requests": rights} | ({} if fork else {"id-token": "write"})
    token_url, *values = job.out.split()
    assert (token_url == "[]") == fork
    assert values[:-1] == ([] if fork else ["s1", "s2", "v1"])
    assert github.api.tokens == {}  # it was the job's, and the job is over
    assert github.identities.claims == {}


def test_an_environment_is_for_its_branches(small: Callable[..., Hub]) -> None:
    github = small(HEAD + JOB + RIGHTS, environments={"prod": Environment(("main",), {"OF_PROD": "s2"})})
    run = github.push("other", {"a": ""}, author="eve")["w"]
    assert (run.conclusion, run.jobs["one"].steps) == ("failure", [])
    assert "not allowed to deploy" in run.jobs["one"].summary


def test_a_pull_request_runs_the_workflows_that_it_brings_on_its_merge(small: Callable[..., Hub]) -> None:
    use = "{uses: actions/checkout@x, with: {%s persist-credentials: false}}"
    steps = (
        f"    steps: [{use % ''}, {use % 'ref: main, path: base,'}, {{run: cat file.txt base/file.txt other.txt}}]\n"
    )
    github = small(f"{HEAD}{JOB}    steps: [{{run: echo old}}]\n")
    change = {".github/workflows/w.yml": HEAD + JOB + steps, "file.txt": "two\n"}
    pull, runs = github.open_pull("b", change, author="ada")
    assert "No such file" in runs["w"].jobs["one"].out
    github.push("main", {"other.txt": "of main\n"}, author="bob")
    assert github.synchronize(pull, {"file.txt": "three\n"})["w"].jobs["one"].out == "three\none\nof main\n"
    assert github.enqueue(pull) == {}
    assert "three" in github.merge(pull)["w"].public_text
    other, _ = github.open_pull("c", {"file.txt": None}, author="ada")
    github.push("main", {"file.txt": "four\n"}, author="bob")
    with pytest.raises(ConflictError):
        github.synchronize(other, {"a": ""})


@pytest.mark.parametrize(("keeps", "is_kept"), [("", True), ("with: {persist-credentials: false}", False)])
def test_a_checkout_keeps_its_token_unless_told_otherwise(
    ran: Callable[..., Run], keeps: str, *, is_kept: bool
) -> None:
    job = ran(f"      - {{uses: actions/checkout@x, {keeps}}}\n      - run: cat .git/config").jobs["one"]
    assert ("ghs_" in job.out) == is_kept


ARTIFACTS = {
    "handed on": ("mkdir -p d/.h; echo 1 > d/a; echo 2 > d/.b; echo 3 > d/.h/c", "path: d", "a"),
    "a file": ("mkdir d; echo 1 > d/a", "path: d/a", "a"),
    "twice": ("echo 1 > a", "path: a, twice", "already exists"),
    "none": ("mkdir d; echo > d/.a", "path: d, if-no-files-found: error", "No files were found"),
    "ignored": ("echo", "path: d, if-no-files-found: ignore", "not found for name"),
    "outside": ("echo", "path: ../../..", "is not under"),
}


@pytest.mark.parametrize(("script", "options", "expected"), ARTIFACTS.values(), ids=ARTIFACTS)
def test_artifacts(ran: Callable[..., Run], script: str, options: str, expected: str) -> None:
    times = 2 if "twice" in options else 1
    upload = f"      - {{uses: actions/upload-artifact@x, with: {{name: n, {options.replace(', twice', '')}}}}}\n"
    job = ran(
        f"      - run: {script}\n{upload * times}"
        "      - {uses: actions/download-artifact@x, with: {name: n, path: got}}\n      - run: ls -A got\n"
    ).jobs["one"]
    if expected == "a":
        assert job.out == "a\n"
    else:
        assert (job.result, expected in job.out) == ("failure", True)


REFUSED = {
    "a context": "      - run: echo ${{ nobody.knows }}",
    "a secret in a condition": "      - {run: echo, if: secrets.X}",
    "an action": "      - uses: some/body@x",
    "an input": "      - {uses: actions/checkout@x, with: {submodules: true}}",
    "a key": "      - {run: echo, whatever: 1}",
    "nothing to do": "      - {name: x}",
    "a circle": "  a: {runs-on: x, needs: b, steps: []}\n  b: {runs-on: x, needs: a, steps: []}",
    "a shell": "      - {run: echo, shell: fish}",
    "no YAML": "  [",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_the_harness_does_not_know_it_does_not_pass_over(ran: Callable[..., Run], text: str) -> None:
    with pytest.raises((RejectedByGitHubError, ExpressionError)):
        ran(text)


def test_events_start_what_asks_for_them(small: Callable[..., Hub]) -> None:
    text = """
name: w
on:
  schedule: [{cron: "1 2 * * *"}]
  push: {branches: [main]}
  workflow_dispatch: {inputs: {dry: {type: boolean, default: true}}}
concurrency: {group: "g-${{ github.ref }}", cancel-in-progress: "${{ github.event_name == 'push' }}"}
jobs:
  one:
    runs-on: x
    steps: [{run: 'echo "$GITHUB_EVENT_NAME ${{ !inputs.dry }}"'}]
"""
    github = small(text)
    assert github.push("other", {"a": ""}, author="ada") == {}
    assert github.open_pull("b", {"a": ""}, author="ada")[1] == {}
    pushed = github.push("main", {"a": ""}, author="ada")["w"]
    assert (pushed.group, pushed.cancels) == ("g-refs/heads/main", True)
    (night,) = github.run_schedule().values()
    assert (night.jobs["one"].out, night.cancels) == ("schedule true\n", False)
    assert github.dispatch("w").jobs["one"].out == "workflow_dispatch false\n"
    assert github.dispatch("w", dry=False).jobs["one"].out == "workflow_dispatch true\n"
