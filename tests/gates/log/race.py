"""Processes at one promotion log: `race.py '{"play": …, "store": …}'` prints every call and its answer as JSON lines.

A script, not a module: it forks before any store is opened, so that fifty writers import things once. A call is
written down before it is made, so that a process that is killed leaves a call without an answer. Times are of the
monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from obstore.store import LocalStore, S3Store

from lockgate import Evidence, Policy, State, judge
from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Keyring, Log, LogEntry, Signer
from lockgate.gates.log.signing import fingerprint, public_line

ROWS = 60
BARRIER_TIMEOUT_S = 900  # seconds that one waits for all at a barrier
MIN_ENTRIES = 10  # that writers make before the last are killed
DECLARED = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "if_present",
    "min_clusters": 10,
    "min_class_rows": 2,
    "serial_dependence": "if_ordered",
    "disclose": "all",
    "valid_for": "90d",
    "checks": {
        "auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"},
        "log_loss": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
    },
}
COUNTED = Policy.parse({**DECLARED, "schedule": {"kind": "fixed", "looks": 20}})  # a holdout's looks are in the log
OPEN = Policy.parse({**DECLARED, "schedule": {"kind": "open"}})
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def open_log(store: dict[str, Any], *, signed: bool) -> Log:
    options = {**store}
    local = options.pop("kind") == "local"
    object_store = LocalStore(options["path"], mkdir=True) if local else S3Store(**options)
    if not signed:
        return Log(object_store, project="race")
    public = PRIVATE.public_key()
    keyring = Keyring.from_listed([("judge", "judge", public_line(public), None)], where="keys")
    return Log(object_store, project="race", keyring=keyring, signer=Signer(PRIVATE, fingerprint(public)))


def now() -> datetime:
    return datetime.now(UTC)


def race_evidence(key: str, *, holdout: int, champion: dict[str, Any] | None, good: bool) -> Evidence:
    """Rows of this holdout, scored by a model of this call's own, and by the champion if there is one."""
    shared = np.random.default_rng(holdout)
    label = (shared.random(ROWS) < 0.4).astype(float)
    noise = np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])).normal(0, 0.05, ROWS)
    return Evidence.from_arrays(
        label=label,
        challenger=np.clip(0.4 + (0.8 if good else -0.2) * (label - 0.5) + noise, 0.01, 0.99),
        champion=np.clip(0.4 + 0.1 * (label - 0.5) + noise, 0.01, 0.99) if champion else None,
        row_id=np.arange(ROWS) + holdout * ROWS,
        facts={"challenger": {"run": f"EvaluateNewModel/{key}", "sha256": model_of(key)}, "champion": champion},
    )


def model_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Player:
    """A process at the log. Every call has a key of its own, which its entry carries as the actor."""

    def __init__(self, name: str, log: Log, book: Path) -> None:
        self.name, self.log, self.turn = name, log, 0
        self.lots = random.Random(name)
        self.state = State()
        self._book = (book / name).open("w", encoding="utf-8", buffering=1)

    def _record_call(self, verb: str, call: Callable[[str], dict[str, Any]], **details: Any) -> None:
        self.turn += 1
        key = f"{self.name}.{self.turn}"
        called = {"key": key, "verb": verb, **details}
        self._book.write(json.dumps({**called, "began": time.monotonic_ns()}) + "\n")
        try:
            answer = call(key)
        except LockgateError as err:
            answer = {"error": type(err).__name__, "line": str(err)}
        self._book.write(json.dumps({"key": key, "ended": time.monotonic_ns(), **answer}) + "\n")

    def head(self) -> None:
        def call(_: str) -> dict[str, Any]:
            head = self.log.head()
            self.state = head.state if head else State()
            return _describe_entry(head) if head else {"seq": 0, "digest": ""}

        self._record_call("head", call)

    def judge(self, policy: Policy, *, holdout: int, good: bool = True) -> None:
        """A challenger beside the champion that was last seen."""
        reigning = self.state.champion
        champion = {"run": reigning.run, "sha256": reigning.sha256} if reigning else None

        def call(key: str) -> dict[str, Any]:
            evidence = race_evidence(key, holdout=holdout, champion=champion, good=good)
            result = commit(policy, evidence, self.log, actor=key, clock=now)
            return {**_describe_entry(result.entry), "verdict": result.decision.verdict, "before": result.was_recorded}

        self._record_call("judge", call, champion=champion and champion["sha256"])

    def revoke(self) -> None:
        """The champion, or one that was, as last seen."""
        champions = (self.state.champion, *self.state.predecessors) if self.state.champion else ()
        if champions:
            run = self.lots.choice(champions[:4]).run
            model = model_of(run.rpartition("/")[2])
            self._record_call(
                "revoke",
                lambda key: _describe_entry(actions.revoke(self.log, run, reason="a race", actor=key, clock=now)),
                model=model,
            )

    def rollback(self) -> None:
        """Away from the champion, or to one that was, as last seen."""
        to = self.lots.choice((None, *(str(former.run) for former in self.state.predecessors[:3])))
        self._record_call(
            "rollback",
            lambda key: _describe_entry(
                actions.rollback(self.log, to=to, reason=f"a race, {key}", actor=key, clock=now)
            ),
            to=to,
            model=to and model_of(to.rpartition("/")[2]),
        )

    def register(self) -> None:
        """One of fifty holdouts: most of the time somebody else had it before."""
        number = self.lots.randrange(10_000, 10_050)
        rows = race_evidence("any", holdout=number, champion=None, good=True)
        self._record_call(
            "register",
            lambda key: _describe_entry(actions.register(self.log, rows, note="", actor=key, clock=now)),
            digest=rows.holdout,
        )

    def anything(self) -> None:
        """Look at the head, then one of the verbs."""
        self.head()
        verb = self.lots.choices(("good", "bad", "revoke", "rollback", "register"), (8, 2, 1, 4, 1))[0]
        if verb in ("good", "bad"):
            self.judge(COUNTED, holdout=self.state.seq, good=verb == "good")
        else:
            getattr(self, verb)()


def _describe_entry(entry: LogEntry | None) -> dict[str, Any]:
    return {"seq": entry.seq, "digest": entry.digest} if entry else {}


def fork_worker(work: Callable[[], None]) -> int:
    """The process that does the work; it ends with 1 where that raises."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException as err:  # noqa: BLE001
        sys.stderr.write(f"{type(err).__name__}: {err}\n")
        os._exit(1)


def wait_for_all(children: list[int]) -> None:
    """Wait for all. Raises RuntimeError where one failed."""
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        raise RuntimeError("a writer failed")


def play_promoting(store: dict[str, Any], book: Path, *, writers: int, rounds: int) -> None:
    """In every round, all judge a good challenger beside the champion of the round, and look who won."""
    barrier = multiprocessing.get_context("fork").Barrier(writers, timeout=BARRIER_TIMEOUT_S)

    def work(writer: int) -> None:
        player = Player(f"w{writer}", open_log(store, signed=False), book)
        for _ in range(rounds):
            barrier.wait()
            player.judge(OPEN, holdout=0)
            player.head()

    wait_for_all([fork_worker(lambda writer=writer: work(writer)) for writer in range(writers)])


def play_mixed(store: dict[str, Any], book: Path, *, writers: int, turns: int) -> None:
    """All do anything, as fast as they can."""
    barrier = multiprocessing.get_context("fork").Barrier(writers, timeout=BARRIER_TIMEOUT_S)

    def work(writer: int) -> None:
        player = Player(f"w{writer}", open_log(store, signed=True), book)
        barrier.wait()
        for _ in range(turns):
            player.anything()

    wait_for_all([fork_worker(lambda writer=writer: work(writer)) for writer in range(writers)])


def play_killed(store: dict[str, Any], book: Path, *, writers: int, kills: int) -> None:
    """All do anything until they are killed; one at a time, at any moment, and another takes its place."""
    lots, parent = random.Random(4), os.getpid()

    def work(number: int) -> None:
        player = Player(f"w{number}", open_log(store, signed=True), book)
        while os.getppid() == parent:
            player.anything()

    alive = [fork_worker(lambda number=number: work(number)) for number in range(writers)]
    for number in range(writers, writers + kills):
        _some_calls_later(book)
        time.sleep(lots.uniform(0, 0.05))
        child = alive.pop(lots.randrange(len(alive)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        alive.append(fork_worker(lambda number=number: work(number)))
    _wait_for(lambda: open_log(store, signed=True).state().seq > MIN_ENTRIES)
    for child in alive:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _some_calls_later(book: Path) -> None:
    """Wait until a few more calls were written down. Raises RuntimeError where none are."""

    def length() -> int:
        return sum(file.stat().st_size for file in book.iterdir())

    target = length() + 2000
    _wait_for(lambda: length() >= target)


def _wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BARRIER_TIMEOUT_S
    while not reached():
        if time.monotonic() > deadline:
            raise RuntimeError("the writers stand still")
        time.sleep(0.005)


PLAYS = {"promoting": play_promoting, "mixed": play_mixed, "killed": play_killed}

if __name__ == "__main__":
    judge(
        COUNTED, race_evidence("0", holdout=0, champion={"run": "F/0", "sha256": "0"}, good=True)
    )  # imports, before the forks
    arguments = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        PLAYS[arguments.pop("play")](arguments.pop("store"), Path(folder), **arguments)
        for file in Path(folder).iterdir():
            sys.stdout.write(file.read_text(encoding="utf-8"))
