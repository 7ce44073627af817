"""The one comment of a pull request that holds lockgate's report, written once and updated in its place."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import GithubError
from lockgate.pipelines.github.client import errors

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest

MOST = 60_000
"""Characters of a report; GitHub takes 65,536."""

TRIES = 10
SETTLE = 2.0
"""Seconds after which it is looked at again: longer than another job takes from looking to writing."""

_MARK = re.compile(r"<!-- lockgate report: run (\d{1,19}) attempt (\d{1,9}) of ([0-9a-f]{0,64}) -->")
_CUT = "\n\n… the report is longer than a comment may be; all of it is in the job's summary, and among its artifacts.\n"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stamp:
    """Which run of which commit a report is of; later runs are greater."""

    run: int
    attempt: int
    head: str

    @property
    def mark(self) -> str:
        """As it stands, unseen, at the head of the comment."""
        return f"<!-- lockgate report: run {self.run} attempt {self.attempt} of {self.head} -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a report."""

    address: str  # of the comment; empty where there is none
    said: str  # in words


def publish(pull: PullRequest, report: str, *, stamp: Stamp, login: str, where: str, settle: float = SETTLE) -> Written:
    """Write the report into the one comment of `login` that bears the mark, or make that comment.

    A report of a commit that is not the pull request's head any more, or of an earlier run of it, is not written. Of
    jobs that write at once the latest run's report stays, in one comment: each looks again some seconds after it
    wrote (`settle`), puts right what an earlier run wrote over it, and deletes what is there twice.

    Raises:
        GithubError: GitHub cannot be reached, refuses, or other jobs write all the time.
    """
    body = f"{stamp.mark}\n{cut(report)}"
    for left in reversed(range(TRIES)):
        with errors(where):
            pull.update()
            if stamp.head and pull.head.sha != stamp.head:
                return Written(address="", said=f"not written: {stamp.head[:12]} is not the head any more")
            own = sorted(_own(pull, login), key=lambda one: one.id)
        if not own:
            _created(pull, body, where, again=left > 0)
            time.sleep(settle)
            continue
        first, *rest = own
        if stamp.run and max(_stamp(one.body) for one in own) > stamp:
            return Written(address=first.html_url, said="not written: a later run has reported")
        if first.body != body:
            _edited(first, body, where)
            time.sleep(settle)
            continue
        for one in rest:
            _deleted(one, where)
        return Written(address=first.html_url, said="written")
    raise GithubError("other jobs write the same comment all the time", where=where, hint="run it again")


def cut(report: str) -> str:
    """The report, or as many whole blocks of it as a comment may hold, and where the rest is."""
    if len(report) <= MOST:
        return report
    kept = report[: MOST - len(_CUT) - 200]
    kept = kept[: kept.rfind("\n\n")] if "\n\n" in kept else kept
    open_ = kept.count("<details>") - kept.count("</details>")
    fence = "\n```" if kept.count("```") % 2 else ""
    return kept + fence + "\n\n</details>" * max(0, min(open_, 10)) + _CUT


def _own(pull: PullRequest, login: str) -> list[IssueComment]:
    """Comments with the mark that this token's user wrote: anybody else may paste it."""
    return [one for one in pull.get_issue_comments() if one.user.login == login and _MARK.match(one.body or "")]


def _stamp(body: str) -> Stamp:
    found = _MARK.match(body)
    assert found is not None  # by `_own`
    return Stamp(run=int(found[1]), attempt=int(found[2]), head=found[3])


def _created(pull: PullRequest, body: str, where: str, *, again: bool) -> None:
    """Make the comment; where the answer is lost, whether it was made is seen when it is looked for `again`."""
    try:
        with errors(where):
            pull.create_issue_comment(body)
    except GithubError as err:
        if not again or (err.status is not None and err.status < 500):
            raise


def _edited(comment: IssueComment, body: str, where: str) -> None:
    """Write into the comment, if it is still there."""
    try:
        with errors(where):
            comment.edit(body)
    except GithubError as err:
        if err.status != 404:
            raise


def _deleted(comment: IssueComment, where: str) -> None:
    try:
        with errors(where):
            comment.delete()
    except GithubError as err:
        if err.status != 404:
            raise
