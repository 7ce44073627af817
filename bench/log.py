"""The promotion log with ten and with a hundred thousand entries: its head, a command, a commit, and reading."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from obstore.store import LocalStore, MemoryStore, S3Store

from bench.moto_credentials import MOTO_CREDENTIALS
from bench.timing import LOCKGATE_COMMAND, print_ratio, time_alternately, timed_command
from lockgate import Evidence, Policy
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Log
from lockgate.gates.log.entry import entry_path
from lockgate.pipelines.settings.groups import ROOT

SHORT, LONG = 10, 100_000
READ_ENTRIES = 1000  # how many entries are read in a row
LOG_PROJECT = "flights"
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
COMMIT_POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "ignore",
        "min_clusters": 10,
        "min_class_rows": 2,
        "serial_dependence": "if_ordered",
        "schedule": {"kind": "fixed", "looks": 20},
        "disclose": "all",
        "valid_for": "36500d",
        "checks": {
            "log_loss": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
            "floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"},
        },
    }
)


def begin_log() -> Log:
    """A log with two promotions and two rollbacks, to the first model and back to the second."""
    log = Log(MemoryStore(), project=LOG_PROJECT)
    seconds = itertools.count()
    rng = np.random.default_rng(0)
    label = (rng.random(2000) < 0.4).astype(np.float64)
    reigning = None
    for number, strength in enumerate((0.4, 0.8)):
        model = {"run": f"EvaluateNewModel/{number}", "sha256": f"{number:064x}"}
        scores = np.clip(0.4 + strength * (label - 0.5) + rng.normal(0, 0.05, label.size), 0.01, 0.99)
        evidence = Evidence.from_arrays(
            label=label,
            challenger=scores,
            champion=reigning and reigning[1],
            facts={"challenger": model, "champion": reigning and reigning[0]},
        )
        commit(COMMIT_POLICY, evidence, log, actor="bench", clock=lambda: BEGAN + timedelta(seconds=next(seconds)))
        reigning = (model, scores)
    for number in (0, 1):
        actions.rollback(
            log,
            to=f"EvaluateNewModel/{number}",
            reason="bench",
            actor="bench",
            clock=lambda: BEGAN + timedelta(seconds=next(seconds)),
        )
    return log


def log_objects(length: int) -> Iterator[tuple[str, bytes]]:
    """The objects of a valid unsigned log and its hint: the last two entries of `begin_log` repeated, each chained."""
    log = begin_log()
    first = [entry.to_bytes() for entry in log.entries()]
    turns = [json.loads(blob) for blob in first[-2:]]
    previous = ""
    for seq in range(1, length + 1):
        if seq <= len(first):
            blob = first[seq - 1]
        else:
            entry = turns[(seq - 1) % 2]
            entry |= {"seq": seq, "previous": previous, "time": f"{BEGAN + timedelta(seconds=seq):%Y-%m-%dT%H:%M:%SZ}"}
            entry["state"]["seq"] = seq
            blob = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        previous = hashlib.sha256(blob).hexdigest()
        yield entry_path(seq), blob
    yield "head.json", json.dumps({"seq": length}).encode()


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a moto server with the two logs in its buckets `short` and `long`."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.s3_server"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure() -> None:
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        stores, envs = [], []
        for length in (LONG, SHORT):
            home = Path(scratch, str(length))
            store = LocalStore(home / ".metaflow" / "lockgate" / LOG_PROJECT, mkdir=True)
            for name, blob in log_objects(length):
                store.put(name, blob)
            stores.append(store)
            envs.append({"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(home)})
        _compare("a disk", [Log(store, project=LOG_PROJECT) for store in stores], envs, Path(scratch))
        _measure_entries(Log(stores[0], project=LOG_PROJECT))
        with s3_server() as endpoint:
            logs, envs = [], []
            for bucket in ("long", "short"):
                store = S3Store(
                    bucket,
                    prefix=f"metaflow/lockgate/{LOG_PROJECT}",
                    endpoint=endpoint,
                    region="us-east-1",
                    access_key_id="testing",
                    secret_access_key="testing",  # noqa: S106 (moto asks for something)
                    client_options={"allow_http": True},
                )
                logs.append(Log(store, project=LOG_PROJECT))
                envs.append(
                    {
                        **MOTO_CREDENTIALS,
                        "METAFLOW_DEFAULT_DATASTORE": "s3",
                        "METAFLOW_S3_ENDPOINT_URL": endpoint,
                        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{bucket}/metaflow",
                    }
                )
            _compare("S3 (moto)", logs, envs, Path(scratch))


def _compare(where: str, logs: list[Log], envs: list[dict[str, str]], cwd: Path) -> None:
    """Compare the long log, which comes first in both lists, with the short one."""
    head = time_alternately(*(log.head for log in logs), times=31)
    print_ratio(f"head of {LONG:,} entries on {where}", *head, against=f"of {SHORT}", goal="at most 1.5")
    shared = {**os.environ, "METAFLOW_USER": "bench", "LOCKGATE_CONF": str(ROOT / "conf")}
    runs = [timed_command([LOCKGATE_COMMAND, "champion"], cwd=cwd, env={**shared, **env}) for env in envs]
    print_ratio(
        f"lockgate champion, {LONG:,} entries on {where}",
        *time_alternately(*runs, times=7),
        against=f"of {SHORT}",
        goal="at most 1.5",
    )


def _measure_entries(log: Log) -> None:
    def roll_back() -> None:
        actions.rollback(log, to=_other_model(log), reason="bench", actor="bench", clock=lambda: datetime.now(UTC))

    def read_entries() -> None:
        for _ in log.entries(start=LONG - READ_ENTRIES + 1):
            pass

    committed, through = time_alternately(roll_back, read_entries, times=5)
    print(f"a commit to {LONG:,} entries on a disk: {1000 * committed:.1f} ms")  # noqa: T201
    print(f"reading entries in a row, each checked against the one before: {1000 * through / READ_ENTRIES:.2f} ms each")  # noqa: T201


def _other_model(log: Log) -> str:
    return str(log.state().predecessors[0].run)


if __name__ == "__main__":
    measure()
