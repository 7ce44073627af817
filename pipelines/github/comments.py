"""The one comment of a pull request that holds lockgate's report, written once and updated in its place."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import GithubError
from lockgate.pipelines.github.client import translate_errors

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest

MAX_COMMENT_LENGTH = 60_000
"""Longest report that fits a comment; GitHub accepts 65,536 characters."""

MAX_ROUNDS = 10
SETTLE_S = 2.0
"""Seconds to wait before checking again: longer than another job takes between reading and writing."""

_MARK = re.compile(r"<!-- lockgate report: run (\d{1,19}) attempt (\d{1,9}) of ([0-9a-f]{0,64}) -->")
_CUT = "\n\n… the report is too long for a comment; the job's summary and its artifacts have all of it.\n"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ReportStamp:
    """The run and the commit that a report belongs to. Later runs are greater."""

    run: int
    attempt: int
    head: str

    @property
    def mark(self) -> str:
        """The invisible mark at the start of the comment."""
        return f"<!-- lockgate report: run {self.run} attempt {self.attempt} of {self.head} -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentResult:
    """What became of a report."""

    address: str  # of the comment; empty where there is none
    outcome: str  # in words


def publish_report(
    pull: PullRequest, report: str, *, stamp: ReportStamp, login: str, where: str, settle: float = SETTLE_S
) -> CommentResult:
    """Write the report into the one comment of `login` that bears the mark, or make that comment.

    A report of a commit that is not the pull request's head any more, or of an earlier run of it, is not written. Of
    jobs that write at once the latest run's report stays, in one comment: each looks again some seconds after it
    wrote (`settle`), puts right what an earlier run wrote over it, and deletes what is there twice.

    Raises:
        GithubError: GitHub cannot be reached, refuses, or other jobs write all the time.
    """
    body = f"{stamp.mark}\n{shorten_report(report)}"
    for rounds_left in reversed(range(MAX_ROUNDS)):
        with translate_errors(where):
            pull.update()
            if stamp.head and pull.head.sha != stamp.head:
                return CommentResult(address="", outcome=f"not written: {stamp.head[:12]} is no longer the head")
            own = sorted(_find_own(pull, login), key=lambda comment: comment.id)
        if not own:
            _create(pull, body, where, again=rounds_left > 0)
            time.sleep(settle)
            continue
        first, *rest = own
        if stamp.run and max(_parse_stamp(comment.body) for comment in own) > stamp:
            return CommentResult(address=first.html_url, outcome="not written: a later run has reported")
        if first.body != body:
            _edit(first, body, where)
            time.sleep(settle)
            continue
        for comment in rest:
            _delete(comment, where)
        return CommentResult(address=first.html_url, outcome="written")
    raise GithubError("other jobs keep writing the same comment", where=where, hint="run it again")


def shorten_report(report: str) -> str:
    """The report, or as many whole blocks as fit in a comment, and a note where the rest is."""
    if len(report) <= MAX_COMMENT_LENGTH:
        return report
    shortened = report[: MAX_COMMENT_LENGTH - len(_CUT) - 200]
    shortened = shortened[: shortened.rfind("\n\n")] if "\n\n" in shortened else shortened
    open_ = shortened.count("<details>") - shortened.count("</details>")
    fence = "\n```" if shortened.count("```") % 2 else ""
    return shortened + fence + "\n\n</details>" * max(0, min(open_, 10)) + _CUT


def _find_own(pull: PullRequest, login: str) -> list[IssueComment]:
    """Comments with the mark, by this token's user only: anybody else could paste the mark."""
    return [
        comment
        for comment in pull.get_issue_comments()
        if comment.user.login == login and _MARK.match(comment.body or "")
    ]


def _parse_stamp(body: str) -> ReportStamp:
    match = _MARK.match(body)
    assert match is not None  # by `_find_own`
    return ReportStamp(run=int(match[1]), attempt=int(match[2]), head=match[3])


def _create(pull: PullRequest, body: str, where: str, *, again: bool) -> None:
    """Create the comment. If the answer is lost, the next round looks whether it exists (`again`)."""
    try:
        with translate_errors(where):
            pull.create_issue_comment(body)
    except GithubError as err:
        if not again or (err.status is not None and err.status < 500):
            raise


def _edit(comment: IssueComment, body: str, where: str) -> None:
    """Update the comment, if it still exists."""
    try:
        with translate_errors(where):
            comment.edit(body)
    except GithubError as err:
        if err.status != 404:
            raise


def _delete(comment: IssueComment, where: str) -> None:
    try:
        with translate_errors(where):
            comment.delete()
    except GithubError as err:
        if err.status != 404:
            raise
