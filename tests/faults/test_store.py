"""What goes wrong between lockgate and its object store, at each request of a commit: the log has the entry whole or
not at all, there is an answer, whether it is yes or one line, and the same again makes exactly one entry.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from obstore.store import S3Store

from lockgate.gates.errors import LogError
from lockgate.gates.log import LogEntry
from lockgate.gates.log.policies import store_policy
from lockgate.gates.runs.datastore import STORE_TIMEOUT_S, request_limits
from tests.builders import (
    FIRST_MODEL,
    HOPELESS,
    POLICY,
    assert_one_line,
    commit_evidence,
    entry_bytes,
    entry_path,
    new_log,
)
from tests.proxy import Fault, Proxy

REQUEST_TIMEOUT_S = 3.0
"""Seconds that a request has here."""

FAULTS: tuple[Fault, ...] = ("refused", "lost", "cut", "slow", "garbage", "500", "503")
FIRST, SECOND, HEAD = 8, 8, 5
"""Requests of a first commit, of a second, and of reading the head then."""

_log = new_log()
commit_evidence(_log, FIRST_MODEL)
ENTRY = entry_bytes(_log, 1)


class FaultyLog:
    """A log of its own with this many entries, reached through the proxy and behind it."""

    def __init__(self, bucket: Any, proxy: Proxy, entries: int) -> None:
        prefix, options = uuid4().hex, request_limits(REQUEST_TIMEOUT_S)
        options["client_options"]["allow_http"] = True
        self.behind = new_log(S3Store(**bucket.store, prefix=prefix))
        self.through = new_log(S3Store(**bucket.store | {"endpoint": proxy.url} | options, prefix=prefix))
        if entries:
            self.behind.store.put(entry_path(1), ENTRY)
            store_policy(self.behind.store, POLICY)
            self.behind.store.put("head.json", b'{"seq": 1}')

    def count(self) -> int:
        """How many entries there are, each of them whole."""
        names = [meta["path"] for page in self.behind.store.list("log") for meta in page]
        for name in names:
            LogEntry.from_bytes(bytes(self.behind.store.get(name).bytes()), where=name)
        return len(names)


@pytest.fixture(scope="module")
def bucket(new_bucket: Callable[[], Any]) -> Any:
    return new_bucket()


@pytest.fixture
def faulty_log(bucket: Any, proxy: Proxy) -> Callable[[int], FaultyLog]:
    return lambda entries: FaultyLog(bucket, proxy, entries)


def answer_or_line(action: Callable[[], Any]) -> Any:
    """What is answered, or the one line. Who waits for a request without an end waits until pytest ends it."""
    try:
        return action()
    except LogError as err:
        return assert_one_line(SimpleNamespace(value=err))


def test_as_many_requests_as_are_gone_through_below(proxy: Proxy, faulty_log: Callable[[int], FaultyLog]) -> None:
    log = faulty_log(0)
    for action, expected in (
        (lambda: commit_evidence(log.through, FIRST_MODEL), FIRST),
        (lambda: commit_evidence(log.through, HOPELESS), SECOND),
        (log.through.head, HEAD),
    ):
        with proxy.plan(None) as plan:
            action()
        assert len(plan.seen) == expected, "\n".join(plan.seen)


@pytest.mark.parametrize("first", range(1, SECOND + 1))
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "503"])  # to which 500 is the same
def test_a_commit_of_which_one_request_goes_wrong(
    proxy: Proxy, faulty_log: Callable[[int], FaultyLog], fault: Fault, first: int
) -> None:
    """It is tried again, or found to have happened; whatever cannot be known is said."""
    log = faulty_log(1)
    with proxy.plan(fault, first=first, times=1) as plan:
        answer = answer_or_line(lambda: commit_evidence(log.through, HOPELESS))
    assert len(plan.seen) >= first
    entry_count = log.count()
    if isinstance(answer, str):
        assert entry_count in (1, 2)
    else:
        assert (entry_count, answer.entry.seq) == (2, 2)
    again = commit_evidence(log.behind, HOPELESS)
    assert (again.entry.seq, again.was_recorded, log.count()) == (2, entry_count == 2, 2)


@pytest.mark.parametrize("first", range(1, FIRST + 1))
def test_a_first_commit_of_which_one_answer_is_lost(
    proxy: Proxy, faulty_log: Callable[[int], FaultyLog], first: int
) -> None:
    """Also those with which the store is tried."""
    log = faulty_log(0)
    with proxy.plan("lost", first=first, times=1):
        answer = answer_or_line(lambda: commit_evidence(log.through, FIRST_MODEL))
    entry_count = log.count()
    assert entry_count == (0 if isinstance(answer, str) else 1)
    again = commit_evidence(log.behind, FIRST_MODEL)
    assert (again.was_recorded, log.count()) == (entry_count == 1, 1)


DOWN = [
    pytest.param(first, marks=[] if first in (1, 5, SECOND) else pytest.mark.nightly) for first in range(1, SECOND + 1)
]


@pytest.mark.parametrize("first", DOWN)  # each waits as long as a request may take
@pytest.mark.parametrize("fault", ["refused", "slow"])
def test_a_store_that_goes_down_within_a_commit(
    proxy: Proxy, faulty_log: Callable[[int], FaultyLog], fault: Fault, first: int
) -> None:
    log = faulty_log(1)
    with proxy.plan(fault, first=first):
        answer = answer_or_line(lambda: commit_evidence(log.through, HOPELESS))
    committed_before = first == SECOND  # only the hint is left out
    assert isinstance(answer, str) != committed_before
    assert committed_before or "cannot be reached" in answer
    assert log.count() == 1 + committed_before
    again = commit_evidence(log.behind, HOPELESS)
    assert (again.entry.seq, again.was_recorded, log.count()) == (2, committed_before, 2)


def test_a_store_that_has_trouble_twice_and_then_not(proxy: Proxy, faulty_log: Callable[[int], FaultyLog]) -> None:
    log = faulty_log(1)
    for first, fault in enumerate(("500", "503", "refused", "500", "503"), start=1):
        with proxy.plan(fault, first=first, times=2):
            assert answer_or_line(log.through.head).seq == 1


@pytest.mark.parametrize(
    "fault", [fault if fault != "slow" else pytest.param(fault, marks=pytest.mark.nightly) for fault in FAULTS]
)
def test_a_head_that_cannot_be_read(proxy: Proxy, faulty_log: Callable[[int], FaultyLog], fault: Fault) -> None:
    """Whichever request goes wrong: an older head is never taken for the last."""
    log = faulty_log(1)
    commit_evidence(log.behind, HOPELESS)
    for first in range(1, HEAD + 1):
        with proxy.plan(fault, first=first, times=1):
            answer = answer_or_line(log.through.head)
        assert isinstance(answer, str) or answer.seq == 2
    with proxy.plan(fault):
        assert isinstance(answer_or_line(log.through.head), str)


def test_what_answers_everything_in_the_store_s_place(proxy: Proxy, faulty_log: Callable[[int], FaultyLog]) -> None:
    """Such as the page on which a network asks for a password. It is not asked for entries for ever."""
    log = faulty_log(1)
    with proxy.plan("garbage") as plan:
        assert "claims to have every object" in answer_or_line(log.through.head)
    assert len(plan.seen) < 40
    with proxy.plan("garbage"):
        assert isinstance(answer_or_line(lambda: commit_evidence(log.through, HOPELESS)), str)
    assert log.count() == 1


def test_a_command_gives_up(project: Any, s3: Any, proxy: Proxy) -> None:
    """In the time that the environment gives, on a store that takes every request and answers none."""
    env = s3.env | {"METAFLOW_S3_ENDPOINT_URL": proxy.url, "LOCKGATE_STORE_SECONDS": "0.3"}
    with proxy.plan("slow") as plan:
        process = project.run("champion", **env)
    assert plan.seen
    assert (process.returncode, process.stdout) == (2, "")
    (line,) = process.stderr.splitlines()
    assert "the promotion log cannot be reached" in line


def test_a_length_of_time_that_is_none_is_one_line(project: Any, s3: Any) -> None:
    """Of the metadata tests/gates/runs/test_log_store.py has more: it is the same rule."""
    process = project.run("champion", LOCKGATE_STORE_SECONDS="soon", **s3.env)
    assert (process.returncode, process.stdout) == (2, "")
    problem = f"'soon' is not a length of time; expected seconds, as in {STORE_TIMEOUT_S:g} @ LOCKGATE_STORE_SECONDS"
    assert process.stderr == f"lockgate: {problem}\n"
