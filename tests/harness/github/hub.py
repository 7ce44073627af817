"""GitHub, as far as the workflows know it: a repository, its settings, what happens to it, and the runs of that.

    with hub(tmp_path, ROOT, variables={"LOCKGATE_PROMOTION": "on"}) as github:
        pull, runs = github.opened("better", {"conf/candidates.yaml": "…"}, author="ada")
        runs["evaluate"].jobs["review"].outputs["verdict"]
        runs = github.merged(pull)

Git, bash and HTTP are real. Jobs run one after another, each on a machine of its own that is gone afterwards.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.github.api import BOT, REPOSITORY, State, serve_github
from tests.harness.github import events
from tests.harness.github.actions import Artifacts, Place
from tests.harness.github.documents import Job, Workflow, parse
from tests.harness.github.events import NAME, Event
from tests.harness.github.expressions import condition, interpolate
from tests.harness.github.jobs import JobRun, Machine, run_job
from tests.harness.github.repository import Change, Repository
from tests.harness.github.tokens import Identities, issuing


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of the repository: for these branches alone."""

    branches: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Image:
    """What is on every machine: programs, and variables."""

    path: tuple[str, ...] = ("/usr/local/bin", "/usr/bin", "/bin")
    env: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Run:
    """What became of one workflow."""

    id: int
    jobs: dict[str, JobRun]
    artifacts: Artifacts
    group: str | None  # of its concurrency
    cancels: bool  # whether it ends what runs in its group

    @property
    def conclusion(self) -> str:
        return "failure" if any(job.result == "failure" for job in self.jobs.values()) else "success"

    @property
    def public_text(self) -> str:
        """All that anybody who may read the repository sees of it, artifacts aside."""
        texts = [text for job in self.jobs.values() for text in (job.out, job.summary, str(job.outputs))]
        return "\n".join(texts)


@dataclass(slots=True)
class Pull:
    number: int
    branch: str
    author: str
    title: str
    fork: bool


@dataclass(slots=True)
class Hub:
    folder: Path
    repository: Repository
    api: State
    identities: Identities
    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    environments: Mapping[str, Environment]
    image: Image = field(default_factory=Image)
    history: list[Run] = field(default_factory=list)
    pulls: int = 6
    before_jobs: dict[str, Callable[[Run], object]] = field(default_factory=dict)
    """What somebody does right before a job of this name starts."""
    published: dict[str, Repository] = field(default_factory=dict)
    """Other repositories that are actions, by OWNER/NAME."""

    # --- what people do -----------------------------------------------------------------------------------------

    def open_pull(
        self, branch: str, changes: Mapping[str, Change], *, author: str, title: str = "A change", fork: bool = False
    ) -> tuple[Pull, dict[str, Run]]:
        """A pull request into main, with one commit."""
        self.pulls += 1
        pull = Pull(self.pulls, branch, author, title, fork)
        return pull, self._push_to(pull, "main", changes, "opened")

    def synchronize(self, pull: Pull, changes: Mapping[str, Change]) -> dict[str, Run]:
        """One more commit."""
        return self._push_to(pull, f"refs/pull/{pull.number}/head", changes, "synchronize")

    def merge(self, pull: Pull) -> dict[str, Run]:
        """Main gets the pull request."""
        before = self.repository.sha("main")
        head = f"refs/pull/{pull.number}/head"
        after = self.repository.merge("main", head, message=f"Merge #{pull.number}", ref="refs/heads/main")
        return self._start_workflows(events.push("main", before=before, after=after, actor="maintainer"))

    def enqueue(self, pull: Pull) -> dict[str, Run]:
        """The pull request is in the merge queue, on top of main."""
        base = self.repository.sha("main")
        ref = f"refs/heads/gh-readonly-queue/main/pr-{pull.number}-{base}"
        head = self.repository.merge(base, f"refs/pull/{pull.number}/head", message="Merge group", ref=ref)
        return self._start_workflows(events.merge_group(number=pull.number, head=head, base=base, ref=ref))

    def push(self, branch: str, changes: Mapping[str, Change], *, author: str) -> dict[str, Run]:
        """A commit on a branch of the repository."""
        existing_ref = self.repository.git("for-each-ref", f"refs/heads/{branch}")
        before = self.repository.sha(branch if existing_ref else "main")
        after = self.repository.commit(before, changes, message="A push", author=author, branch=branch)
        return self._start_workflows(events.push(branch, before=before, after=after, actor=author))

    def run_schedule(self) -> dict[str, Run]:
        """It is night."""
        return self._start_workflows(events.schedule(self.repository.sha("main")))

    def dispatch(self, stem: str, *, branch: str = "main", author: str = "maintainer", **inputs: Any) -> Run:
        """A workflow is started by hand, with its inputs' defaults but for those that are given."""
        sha = self.repository.sha(branch)
        declared = (self._workflows(sha)[stem].on["workflow_dispatch"] or {}).get("inputs", {})  # type: ignore[union-attr]
        values = {name: declaration.get("default") for name, declaration in declared.items()} | inputs
        event = events.workflow_dispatch(stem, branch=branch, sha=sha, actor=author, inputs=values)
        return self._start_workflows(event)[stem]

    def _push_to(self, pull: Pull, parent: str, changes: Mapping[str, Change], action: str) -> dict[str, Run]:
        place = f"fork/{pull.author}/{pull.branch}" if pull.fork else pull.branch
        head = self.repository.commit(parent, changes, message=pull.title, author=pull.author, branch=place)
        self.repository.point(f"refs/pull/{pull.number}/head", head)
        self.api.heads[pull.number] = head
        base, ref = self.repository.sha("main"), f"refs/pull/{pull.number}/merge"
        merge = self.repository.merge(base, head, message=f"Merge {head} into {base}", ref=ref)
        return self._start_workflows(
            events.pull_request(
                action,
                number=pull.number,
                title=pull.title,
                author=pull.author,
                fork=pull.fork,
                branch=pull.branch,
                head=head,
                base=base,
                merge=merge,
            )
        )

    # --- what GitHub does ---------------------------------------------------------------------------------------

    def _workflows(self, sha: str) -> dict[str, Workflow]:
        """As they are in the commit that the event is about."""
        listed = self.repository.git("ls-tree", "--name-only", sha, ".github/workflows/").splitlines()
        return {Path(path).stem: parse(self.repository.git("show", f"{sha}:{path}"), where=path) for path in listed}

    def _start_workflows(self, event: Event) -> dict[str, Run]:
        return {
            stem: self._run(stem, workflow, event)
            for stem, workflow in self._workflows(event.sha).items()
            if event.starts(stem, workflow.on)
        }

    def _run(self, stem: str, workflow: Workflow, event: Event) -> Run:
        run = Run(id=1000 + len(self.history), jobs={}, artifacts=Artifacts(), group=None, cancels=False)
        github = events.context(event, workflow=workflow.name, stem=stem, run_id=run.id, token="", api_url=self.api.url)
        contexts = {"github": github, "vars": self._variables(event), "inputs": event.inputs}
        if workflow.concurrency is not None:
            run.group = interpolate(workflow.concurrency.group, contexts, {})
            cancels = workflow.concurrency.cancel_in_progress
            run.cancels = cancels if isinstance(cancels, bool) else interpolate(cancels, contexts, {}) == "true"
        for name in workflow.in_order():
            if action := self.before_jobs.get(name):
                action(run)
            run.jobs[name] = self._job(workflow, stem, name, event, run, contexts)
        self.history.append(run)
        self.api.runs.insert(
            0,
            {
                "file": f"{stem}.yml",
                "branch": event.branch,
                "event": event.name,
                "status": run.conclusion,
                "artifacts": run.artifacts.archives,
            },
        )
        return run

    def _job(
        self, workflow: Workflow, stem: str, name: str, event: Event, run: Run, contexts: Mapping[str, Any]
    ) -> JobRun:
        job = workflow.jobs[name]
        needs = {need: {"result": run.jobs[need].result, "outputs": run.jobs[need].outputs} for need in job.needs}
        before = [run.jobs[ancestor].result for ancestor in _ancestors(workflow, name)]
        functions = {
            **_always,
            "cancelled": lambda: False,
            "failure": lambda: "failure" in before,
            "success": lambda: set(before) <= {"success"},
        }
        if not condition(job.if_, {**contexts, "needs": needs}, functions):
            return JobRun(name=name)
        environment = self.environments.get(job.environment or "", Environment(()))
        branch = event.ref.removeprefix("refs/heads/")
        if job.environment and branch not in environment.branches:
            refusal = f"Branch {branch!r} is not allowed to deploy to {job.environment} due to its protection rules.\n"
            return JobRun(name=name, result="failure", summary=refusal)
        rights = _rights(workflow, job, fork=event.fork)
        token = f"ghs_{secrets.token_hex(18)}"
        self.api.tokens[token] = (BOT, rights)
        folder = self.folder / f"run-{run.id}-{name}"
        workspace = folder / "work" / NAME / NAME
        workspace.mkdir(parents=True)
        github = {**contexts["github"], "token": token, "job": name}
        job_secrets = {} if event.fork else {**self.secrets, **environment.secrets}
        env = events.environment(github, job=name, folder=folder, workspace=workspace) | self.image.env
        env["PATH"] = ":".join(self.image.path)
        if "id-token" in rights:
            subject = f"environment:{job.environment}" if job.environment else f"ref:{event.ref}"
            env |= self.identities.allow_job(
                sub=f"repo:{REPOSITORY}:{subject}", job_workflow_ref=github["workflow_ref"], ref=event.ref
            )
        machine = Machine(
            folder=folder,
            env=env,
            published=self.published,
            place=Place(
                workspace=workspace, repository=self.repository, ref=event.sha, token=token, artifacts=run.artifacts
            ),
            contexts={
                **contexts,
                "github": github,
                "needs": needs,
                "secrets": {**job_secrets, "GITHUB_TOKEN": token},
                "runner": {"os": "Linux", "arch": "X64", "temp": env["RUNNER_TEMP"]},
                "job": {"status": "success"},
            },
        )
        try:
            return run_job(workflow, name, machine, rights=rights)
        finally:
            del self.api.tokens[token]
            self.identities.claims.pop(env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""), None)
            shutil.rmtree(folder)

    def _variables(self, event: Event) -> Mapping[str, str]:
        return {} if event.fork else self.variables


_always = {"always": lambda: True}


def _ancestors(workflow: Workflow, name: str) -> set[str]:
    direct = workflow.jobs[name].needs
    return set(direct).union(*(_ancestors(workflow, parent) for parent in direct))


def _rights(workflow: Workflow, job: Job, *, fork: bool) -> dict[str, str]:
    """Of a job's token: what the job says, else the workflow; a fork's may read at most, and prove nothing."""
    permissions = job.permissions if job.permissions is not None else workflow.permissions or {}
    if not fork:
        return dict(permissions)
    return {name: "read" for name, level in permissions.items() if name != "id-token" and level != "none"}


@contextmanager
def hub(
    folder: Path,
    source: Path,
    *,
    secrets: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    environments: Mapping[str, Environment] | None = None,
) -> Iterator[Hub]:
    """GitHub with one repository, whose main is what `source` holds."""
    folder.mkdir(parents=True, exist_ok=True)
    with serve_github() as api, issuing() as identities:
        yield Hub(
            folder,
            Repository.of(source, folder / "repository.git"),
            api,
            identities,
            secrets or {},
            variables or {},
            environments or {},
        )
