"""PyGithub with time limits and retries, and its errors in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import GithubError, printable

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest

GITHUB_TIMEOUT_S = 20
MAX_RETRIES = 4
BOT = "github-actions[bot]"
"""The login that a job's own token has."""


def connect_github() -> Github:
    """A client for GITHUB_API_URL with the token in GITHUB_TOKEN. Raises GithubError without a token."""
    from github import Auth, Github
    from github.GithubRetry import GithubRetry

    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise GithubError("no token is set", expected="a token in the environment", where="GITHUB_TOKEN")
    return Github(
        auth=Auth.Token(token),
        base_url=os.environ.get("GITHUB_API_URL") or "https://api.github.com",
        timeout=GITHUB_TIMEOUT_S,
        per_page=100,
        user_agent="lockgate",
        seconds_between_requests=0,
        seconds_between_writes=0,
        retry=_retry(GithubRetry),
        lazy=True,
    )


def _retry(kind: Any) -> Any:
    """Retry only what is safe: reads, and requests that GitHub refused because of a rate limit."""
    return kind(
        total=MAX_RETRIES,
        backoff_factor=0.5,
        backoff_max=10,
        secondary_rate_wait=_wait(),
        status_forcelist=[502, 503, 504],
        allowed_methods=["GET"],
    )


def _wait() -> float:
    return float(os.environ.get("LOCKGATE_GITHUB_WAIT_SECONDS") or 60)


def fetch_pull(repository: str, number: int) -> PullRequest:
    """The pull request. Raises GithubError."""
    with translate_errors(f"{repository}#{number}"):
        return connect_github().get_repo(repository).get_pull(number)


def find_login() -> str:
    """The login that writes comments with this token."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return BOT
    with translate_errors("/user"):
        return connect_github().get_user().login


@contextmanager
def translate_errors(where: str) -> Iterator[None]:
    """Turn errors of PyGithub and of the connection into one line without the token."""
    from github import GithubException
    from requests import RequestException

    try:
        yield
    except GithubException as err:
        message = err.data.get("message") if isinstance(err.data, dict) else None
        reason = printable(str(message or err.message or type(err).__name__))[:200]
        hint = "the job needs `pull-requests: write`; a fork's job never has it" if err.status == 403 else ""
        raise GithubError(f"GitHub answers {err.status}: {reason}", where=where, hint=hint, status=err.status) from err
    except RequestException as err:
        raise GithubError(f"GitHub cannot be reached: {type(err).__name__}", where=where, hint="run it again") from err
