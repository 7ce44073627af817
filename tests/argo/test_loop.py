"""The loop of production, executed: a better model goes live without deploying anew, a worse one does not, a revoked
one is withdrawn, and where the log cannot be reached the last version stays.

Tests of pipelines/evaluate.py
Tests of pipelines/predict.py
Tests of pipelines/promote.py
Tests of pipelines/promotion/promote.py
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import obstore
import pandas as pd
import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from obstore.store import S3Store

from tests.builders import JUDGE, public_line_of
from tests.configuration import ROOT
from tests.harness.argo.cluster import Cluster
from tests.harness.argo.pods import WorkflowRun

SECRET = "s3cr3t-c4n4ry"
CLIENT = """
import json, sys
from metaflow import Run, namespace
from metaflow.cards import get_cards
namespace(None)
run = Run(sys.argv[1])
promote = run.pathspec.startswith("Promote/")
print(json.dumps({
    "successful": run.successful, "user": sorted(run.user_tags), "runtime": "runtime:argo-workflows" in run.tags,
    "cards": [card.get() for card in get_cards(run["start"].task)] if promote else [],
}))
"""


@dataclass(frozen=True, kw_only=True)
class ExecutedProduction:
    """A cluster with Promote and Predict deployed once, for a table that the pods read from S3."""

    cluster: Cluster
    conf: Path
    promote: Mapping[str, Any]
    predict: Mapping[str, Any]
    key: str
    templates: list[Mapping[str, Any]] = field(default_factory=list)  # that were executed
    workflows: list[WorkflowRun] = field(default_factory=list)

    def settings(self, *overrides: str, config: str = "production") -> str:
        composed = (
            "from lockgate.pipelines.settings.settings import compose; made = compose(sys.argv[2:], config=sys.argv[1])"
        )
        code = f"import sys; {composed}; print(made.settings.to_json())"
        return self.cluster.call([sys.executable, "-c", code, config, *overrides]).stdout.strip()

    def evaluate(self, *overrides: str) -> WorkflowRun:
        """EvaluateNewModel's template with a model's configuration, as a retraining runs."""
        template = self.cluster.compile_flow("evaluate", {"settings": self.settings(*overrides)})
        workflow = self._execute(template)
        assert workflow.succeeded, workflow.out
        return workflow

    def judge(self, evaluated: WorkflowRun | str) -> WorkflowRun:
        """Promote, started by the end of that run as Argo Events starts it."""
        run = evaluated if isinstance(evaluated, str) else evaluated.run
        (event,) = [
            parameter["name"]
            for parameter in self.promote["spec"]["arguments"]["parameters"]
            if parameter["name"] != "run"
        ]
        payload = {"name": "metaflow.EvaluateNewModel.end", "id": f"{run}/end/1", "timestamp": 1}
        return self._execute(self.promote, **{event: json.dumps(payload)})

    def predict_now(self) -> WorkflowRun:
        """Predict, as its schedule starts it."""
        return self._execute(self.predict)

    def _execute(self, template: Mapping[str, Any], **parameters: str) -> WorkflowRun:
        self.templates.append(template)
        self.workflows.append(self.cluster.execute(template, **parameters))
        return self.workflows[-1]

    def events(self) -> list[str]:
        """Names of the events that are not Metaflow's own."""
        return [event["name"] for event in self.cluster.events if event["name"].startswith("mfns.")]

    def show_run(self, run: str) -> dict[str, Any]:
        """A run as Metaflow's client shows it."""
        return dict(json.loads(self.cluster.call([sys.executable, "-c", CLIENT, run]).stdout))

    def marks(self) -> dict[int, tuple[str, str]]:
        """Of each version the run whose model it is of, and what it is: current, withdrawn, or neither."""
        return {
            version["version"]: (
                version["champion_run"],
                "current" * version["current"] + "withdrawn" * version["withdrawn"],
            )
            for version in self.versions()
        }

    def versions(self) -> list[dict[str, Any]]:
        return list(json.loads(self.lockgate("predictions", "versions", "--json")))

    def lockgate(self, *words: str) -> str:
        return self.cluster.call(
            [str(Path(sys.executable).with_name("lockgate")), *words],
            LOCKGATE_CONF=str(self.conf),
            LOCKGATE_SIGNING_KEY=self.key,
        ).stdout


@pytest.fixture(scope="module")
def executed_production(cluster: Cluster, orders_conf: Path) -> ExecutedProduction:
    conf = cluster.scratch / "conf"
    shutil.copytree(orders_conf, conf)
    signer = JUDGE
    key = signer.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    _change_yaml(
        conf / "platform" / "argo.yaml",
        {
            "retries": 0,
            "shards": 2,
            "batch_rows": 200,
            "data_root": f"s3://{cluster.s3.bucket}/tables",
            "environment": {"LOCKGATE_LOG": "json", "LOCKGATE_STORE_SECONDS": "4"},
            "keys": {
                "required": True,
                "private": "environment",
                "trusted": {"judge": {"role": "judge", "key": public_line_of(signer), "last_entry": None}},
            },
        },
    )
    shutil.copy(conf / "platform" / "argo.yaml", conf / "platform" / "local.yaml")  # as the desks share the log
    _change_yaml(conf / "platform" / "local.yaml", {"kind": "local"})
    _change_yaml(conf / "store" / "parquet.yaml", {"max_drift": None})
    plain = (conf / "config.yaml").read_text(encoding="utf-8")
    (conf / "config.yaml").write_text(plain.replace("store: sqlite", "store: parquet"), encoding="utf-8")
    orders = yaml.safe_load((conf / "data" / "orders.yaml").read_text(encoding="utf-8"))
    rows = pd.read_csv(orders["path"]).sort_values("day")
    rows.to_parquet(cluster.scratch / "orders.parquet", row_group_size=300, index=False)
    S3Store(**cluster.s3.store, prefix="tables").put(
        "orders.parquet", (cluster.scratch / "orders.parquet").read_bytes()
    )
    _change_yaml(conf / "data" / "orders.yaml", {"path": "orders.parquet"})
    env = {**cluster.env, "LOCKGATE_CONF": str(conf)}
    secrets = {
        "lockgate-metadata": {"METAFLOW_SERVICE_AUTH_KEY": f"{SECRET}-metadata"},
        "lockgate-store": {"PGPASSWORD": f"{SECRET}-store"},
        "lockgate-judge": {"LOCKGATE_SIGNING_KEY": key},
    }
    cluster = replace(cluster, env=env, secrets=secrets)
    undeployed = ExecutedProduction(cluster=cluster, conf=conf, promote={}, predict={}, key=key)
    settings = undeployed.settings()
    code = (
        "import json; from lockgate.pipelines.flows.configs import default_policy as policy; "
        "print(json.dumps(policy()))"
    )
    policy = cluster.call([sys.executable, "-c", code]).stdout.strip()
    promote = cluster.compile_flow("promote", {"settings": settings, "policy": policy})
    predict = cluster.compile_flow("predict", {"settings": settings})
    return ExecutedProduction(cluster=cluster, conf=conf, promote=promote, predict=predict, key=key)


def _change_yaml(file: Path, changes: Mapping[str, Any]) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert changes.keys() <= document.keys()
    file.write_text(yaml.safe_dump(document | changes), encoding="utf-8")


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_the_loop(executed_production: ExecutedProduction) -> None:
    """One test, as each part begins where the one before ended, and pods take seconds."""
    weak = _first(executed_production)
    strong = _better(executed_production, weak)
    _is_seen_in_the_client(executed_production, strong)
    _a_worse_one_does_not_go_live(executed_production, strong)
    _with_the_log_out_of_reach_the_last_version_stays(executed_production, strong)
    _a_revoked_model_is_withdrawn_for_its_predecessor(executed_production, weak, strong)
    _no_secret(executed_production)


def _first(executed_production: ExecutedProduction) -> str:
    """The first champion, of a desk that shares the datastore, and version 1 of Predict's template."""
    executed_production.lockgate("evaluate", "model=xgb", "model.trees=2", "model.max_depth=1")
    run = str(json.loads(executed_production.lockgate("champion", "--json"))["run"])
    served = executed_production.predict_now()
    assert served.succeeded, served.out
    assert executed_production.marks() == {1: (run, "current")}
    return run


def _better(executed_production: ExecutedProduction, weak: str) -> str:
    """A better challenger: evaluated, judged and served by the templates that were deployed before."""
    evaluated = executed_production.evaluate("model=xgb")
    judged = executed_production.judge(evaluated)
    assert (judged.succeeded, judged.find_event("judged")["verdict"]) == (True, "PROMOTE"), judged.out
    assert executed_production.events() == ["mfns.lockgate_orders.prod.promoted"]
    served = executed_production.predict_now()
    assert served.succeeded, served.out
    assert executed_production.marks() == {2: (evaluated.run, "current"), 1: (weak, "")}
    return evaluated.run


def _is_seen_in_the_client(executed_production: ExecutedProduction, strong: str) -> None:
    succeeded = {"successful": True, "runtime": True}
    assert executed_production.show_run(strong) == {
        **succeeded,
        "user": ["champion", "deployment_candidate"],
        "cards": [],
    }
    _, _, judged, predicted = executed_production.workflows[:4]
    (card,) = executed_production.show_run(judged.run).pop("cards")
    card_text = " ".join(
        base64.b64decode(text).decode() for text in re.findall(r"['\"]([A-Za-z0-9+/]{400,}=*)['\"]", card)
    )
    assert "PROMOTE" in card_text
    assert "entry 2 of the promotion log" in card_text
    assert executed_production.show_run(predicted.run) == {**succeeded, "user": [], "cards": []}
    version = executed_production.versions()[0]
    assert (version["rows"], version["shards"], version["source"]) == (666, 2, predicted.run)
    assert [pod.step for pod in predicted.pods].count("score") == 2
    again = executed_production.cluster.compile_flow("predict", {"settings": executed_production.settings()})
    assert strong not in json.dumps(again)  # nor is it there in what is compiled once it reigns


def _a_worse_one_does_not_go_live(executed_production: ExecutedProduction, strong: str) -> None:
    flow = [sys.executable, str(ROOT / "pipelines/evaluate.py"), "--no-pylint", "--production", "--config-value"]
    settings = executed_production.settings("model=baseline", config="config")
    executed_production.cluster.call([*flow, "settings", settings, "run", "--run-id-file", "worse"])
    worse = f"EvaluateNewModel/{(executed_production.cluster.scratch / 'worse').read_text()}"
    before = executed_production.events()
    judged = executed_production.judge(worse)
    assert (judged.succeeded, judged.find_event("judged")["verdict"]) == (True, "HOLD"), judged.out
    assert executed_production.show_run(worse)["user"] == ["held"]
    assert executed_production.events() == before  # so that nothing starts Predict
    assert json.loads(executed_production.lockgate("champion", "--json"))["run"] == strong


def _with_the_log_out_of_reach_the_last_version_stays(executed_production: ExecutedProduction, strong: str) -> None:
    """And the pod fails with one line."""
    before = executed_production.marks()
    with executed_production.cluster.proxy.plan("refused", path="/lockgate/orders/"):
        refused = executed_production.predict_now()
    assert [(pod.step, pod.code != 0) for pod in refused.pods] == [("start", True), ("error-msg-capture-hook", False)]
    assert refused.find_event("refused")["error"] == "LogError"
    assert len([line for line in refused.out.splitlines() if "lockgate" in line and "save_logs" not in line]) == 1
    assert before[max(before)] == (strong, "current")
    assert executed_production.marks() == before


def _a_revoked_model_is_withdrawn_for_its_predecessor(
    executed_production: ExecutedProduction, weak: str, strong: str
) -> None:
    executed_production.lockgate("revoke", strong, "--reason", "it was trained on what it must not know")
    served = executed_production.predict_now()
    assert served.succeeded, served.out
    assert executed_production.marks() == {3: (weak, "current"), 2: (strong, "withdrawn"), 1: (weak, "")}
    assert served.find_event("withdrawn")["versions"] == [2]
    assert json.loads(executed_production.lockgate("verify", "--json"))["deviations"] == []


def _no_secret(executed_production: ExecutedProduction) -> None:
    """In no template, log of a pod, card, artifact or code package."""
    canaries = [SECRET.encode(), executed_production.key.split()[6].encode()]
    blobs: dict[str, bytes] = {
        f"template {number}": json.dumps(template).encode()
        for number, template in enumerate(executed_production.templates)
    }
    blobs |= {f"pods of {workflow.name}": workflow.out.encode() for workflow in executed_production.workflows}
    store = S3Store(**executed_production.cluster.s3.store)
    for page in obstore.list(store):
        blobs |= {meta["path"]: _unpack(bytes(store.get(meta["path"]).bytes())) for meta in page}
    assert sum("mf.cards" in name for name in blobs) >= 2
    assert sum(b"class Predict" in blob for blob in blobs.values()) >= 3  # the code packages are looked into
    assert [name for name, blob in blobs.items() if any(canary in blob for canary in canaries)] == []


def _unpack(blob: bytes) -> bytes:
    return gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
