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
PATIENCE = 120  # seconds that one waits for all at a barrier
DECLARED = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "if_present",
    "min_clusters": 10,
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


def opened(store: dict[str, Any], *, signed: bool) -> Log:
    kind = {**store}
    local = kind.pop("kind") == "local"
    held = LocalStore(kind["path"], mkdir=True) if local else S3Store(**kind)
    if not signed:
        return Log(held, project="race")
    public = PRIVATE.public_key()
    keyring = Keyring.from_listed([("judge", "judge", public_line(public), None)], where="keys")
    return Log(held, project="race", keyring=keyring, signer=Signer(PRIVATE, fingerprint(public)))


def now() -> datetime:
    return datetime.now(UTC)


def evidence(key: str, *, holdout: int, beside: dict[str, Any] | None, good: bool) -> Evidence:
    """Rows of this holdout, scored by a model of this call's own and by the champion that it is `beside`."""
    shared = np.random.default_rng(holdout)
    label = (shared.random(ROWS) < 0.4).astype(float)
    noise = np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])).normal(0, 0.05, ROWS)
    return Evidence.from_arrays(
        label=label,
        challenger=np.clip(0.4 + (0.8 if good else -0.2) * (label - 0.5) + noise, 0.01, 0.99),
        champion=np.clip(0.4 + 0.1 * (label - 0.5) + noise, 0.01, 0.99) if beside else None,
        row_id=np.arange(ROWS) + holdout * ROWS,
        facts={"challenger": {"run": f"EvaluateNewModel/{key}", "sha256": model_of(key)}, "champion": beside},
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

    def _did(self, verb: str, call: Callable[[str], dict[str, Any]], **about: Any) -> None:
        self.turn += 1
        key = f"{self.name}.{self.turn}"
        called = {"key": key, "verb": verb, **about}
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
            return _told(head) if head else {"seq": 0, "digest": ""}

        self._did("head", call)

    def judge(self, policy: Policy, *, holdout: int, good: bool = True) -> None:
        """A challenger beside the champion that was last seen."""
        reigning = self.state.champion
        beside = {"run": reigning.run, "sha256": reigning.sha256} if reigning else None

        def call(key: str) -> dict[str, Any]:
            rows = evidence(key, holdout=holdout, beside=beside, good=good)
            done = commit(policy, rows, self.log, actor=key, clock=now)
            return {**_told(done.entry), "verdict": done.decision.verdict, "before": done.was_recorded}

        self._did("judge", call, beside=beside and beside["sha256"])

    def revoke(self) -> None:
        """The champion, or one that was, as last seen."""
        known = (self.state.champion, *self.state.predecessors) if self.state.champion else ()
        if known:
            run = self.lots.choice(known[:4]).run
            model = model_of(run.rpartition("/")[2])
            self._did(
                "revoke",
                lambda key: _told(actions.revoke(self.log, run, reason="a race", actor=key, clock=now)),
                model=model,
            )

    def rollback(self) -> None:
        """Away from the champion, or to one that was, as last seen."""
        to = self.lots.choice((None, *(str(one.run) for one in self.state.predecessors[:3])))
        self._did(
            "rollback",
            lambda key: _told(actions.rollback(self.log, to=to, reason=f"a race, {key}", actor=key, clock=now)),
            to=to,
            model=to and model_of(to.rpartition("/")[2]),
        )

    def register(self) -> None:
        """One of fifty holdouts: most of the time somebody else had it before."""
        number = self.lots.randrange(10_000, 10_050)
        rows = evidence("any", holdout=number, beside=None, good=True)
        self._did(
            "register",
            lambda key: _told(actions.register(self.log, rows, note="", actor=key, clock=now)),
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


def _told(entry: LogEntry | None) -> dict[str, Any]:
    return {"seq": entry.seq, "digest": entry.digest} if entry else {}


def forked(work: Callable[[], None]) -> int:
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


def ended(children: list[int]) -> None:
    """Wait for all. Raises RuntimeError where one failed."""
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        raise RuntimeError("a writer failed")


def play_promoting(store: dict[str, Any], book: Path, *, writers: int, rounds: int) -> None:
    """In every round, all judge a good challenger beside the champion of the round, and look who won."""
    barrier = multiprocessing.get_context("fork").Barrier(writers, timeout=PATIENCE)

    def work(writer: int) -> None:
        player = Player(f"w{writer}", opened(store, signed=False), book)
        for _ in range(rounds):
            barrier.wait()
            player.judge(OPEN, holdout=0)
            player.head()

    ended([forked(lambda writer=writer: work(writer)) for writer in range(writers)])


def play_mixed(store: dict[str, Any], book: Path, *, writers: int, turns: int) -> None:
    """All do anything, as fast as they can."""
    barrier = multiprocessing.get_context("fork").Barrier(writers, timeout=PATIENCE)

    def work(writer: int) -> None:
        player = Player(f"w{writer}", opened(store, signed=True), book)
        barrier.wait()
        for _ in range(turns):
            player.anything()

    ended([forked(lambda writer=writer: work(writer)) for writer in range(writers)])


def play_killed(store: dict[str, Any], book: Path, *, writers: int, kills: int) -> None:
    """All do anything until they are killed; one at a time, at any moment, and another takes its place."""
    lots, parent = random.Random(4), os.getpid()

    def work(number: int) -> None:
        player = Player(f"w{number}", opened(store, signed=True), book)
        while os.getppid() == parent:
            player.anything()

    alive = [forked(lambda number=number: work(number)) for number in range(writers)]
    for number in range(writers, writers + kills):
        _some_calls_later(book)
        time.sleep(lots.uniform(0, 0.05))
        child = alive.pop(lots.randrange(len(alive)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        alive.append(forked(lambda number=number: work(number)))
    for child in alive:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _some_calls_later(book: Path) -> None:
    """Wait until a few more calls were written down. Raises RuntimeError where none are."""

    def length() -> int:
        return sum(file.stat().st_size for file in book.iterdir())

    enough, until = length() + 2000, time.monotonic() + PATIENCE
    while length() < enough:
        if time.monotonic() > until:
            raise RuntimeError("the writers stand still")
        time.sleep(0.005)


PLAYS = {"promoting": play_promoting, "mixed": play_mixed, "killed": play_killed}

if __name__ == "__main__":
    judge(
        COUNTED, evidence("0", holdout=0, beside={"run": "F/0", "sha256": "0"}, good=True)
    )  # imports, before the forks
    asked = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        PLAYS[asked.pop("play")](asked.pop("store"), Path(folder), **asked)
        for file in Path(folder).iterdir():
            sys.stdout.write(file.read_text(encoding="utf-8"))
