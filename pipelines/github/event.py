"""What GitHub Actions tells a job of the pull request that it runs for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lockgate.gates.errors import GithubError

MAX_EVENT_BYTES = 25 * 1024**2
REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_RULES = ConfigDict(frozen=True, extra="ignore")
_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class _Repository(BaseModel):
    model_config = _RULES
    full_name: str


class _Commit(BaseModel):
    model_config = _RULES
    sha: _Sha
    repo: _Repository | None  # None: the fork was deleted


class _Pull(BaseModel):
    model_config = _RULES
    number: Annotated[int, Field(gt=0)]
    head: _Commit


class JobPullRequest(BaseModel):
    """A pull request, without its title, its branch and whatever else its author controls."""

    model_config = _RULES
    repository: Annotated[str, Field(pattern=f"^{REPOSITORY.pattern}$")]
    number: Annotated[int, Field(gt=0)]
    head: _Sha | None  # the commit that was evaluated
    fork: bool = False


def read_pull() -> JobPullRequest:
    """The pull request of this job. Raises GithubError where the job runs for none."""
    path, repository = os.environ.get("GITHUB_EVENT_PATH"), os.environ.get("GITHUB_REPOSITORY", "")
    if not path:
        raise GithubError(
            "no pull request is named",
            expected="--pull and --repository, or a job of GitHub Actions that has one",
            where="GITHUB_EVENT_PATH",
        )
    try:
        with Path(path).open("rb") as file:
            event = _PullRequestEvent.model_validate_json(file.read(MAX_EVENT_BYTES))
    except OSError as err:
        raise GithubError(f"cannot read the event: {err.strerror}", where=path) from err
    except ValidationError as err:
        place = ".".join(map(str, err.errors(include_url=False)[0]["loc"]))
        raise GithubError(
            "the event does not belong to a pull request",
            expected="pull_request with number and head",
            where=place or path,
        ) from err
    check_repository(repository, where="GITHUB_REPOSITORY")
    pull_request = event.pull_request
    return JobPullRequest(
        repository=repository,
        number=pull_request.number,
        head=pull_request.head.sha,
        fork=pull_request.head.repo is None or pull_request.head.repo.full_name.lower() != repository.lower(),
    )


def check_repository(text: str, *, where: str) -> str:
    """Return the text if it is OWNER/NAME. Raises GithubError otherwise."""
    if not REPOSITORY.fullmatch(text):
        raise GithubError(f"{text[:80]!r} is not a repository", expected="OWNER/NAME", where=where)
    return text


class _PullRequestEvent(BaseModel):
    model_config = _RULES
    pull_request: _Pull
