"""A repository of orders on GitHub, and the platform that its machine users log in to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lockgate.gates.log.signing import generate_key
from tests.configuration import ROOT
from tests.conftest import S3
from tests.github.api import REPOSITORY
from tests.harness.github.hub import Environment, Hub, hub
from tests.harness.github.image import image
from tests.harness.github.platform import HOSTS, Platform, platform

MODEL_FILE = "conf/model/xgb.yaml"
POLICY_FILE = "conf/gate/default.yaml"


@dataclass(frozen=True)
class Models:
    """A repository whose main trains on orders, and what watches over it."""

    github: Hub
    platform: Platform
    folder: Path
    canaries: tuple[str, ...]  # parts of secrets: none may be seen anywhere

    def file(self, path: str, changes: dict[str, str] | None = None) -> str:
        """A file as main has it, with these changes."""
        text = self.github.repository.git("show", f"main:{path}") + "\n"
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        return text

    def public_texts(self) -> Iterator[tuple[str, str]]:
        """Whatever somebody who may read the repository can see: logs, summaries, outputs, artifacts, comments."""
        for run_number, run in enumerate(self.github.history):
            yield f"run {run_number}", run.public_text
            for name in run.artifacts.archives:
                for member, blob in run.artifacts.members(name).items():
                    yield f"run {run_number}, {name}/{member}", blob.decode(errors="replace")
        for number, comment in self.github.api.comments.items():
            yield f"comment {number}", comment["body"]


@dataclass(frozen=True)
class Desk:
    """A checkout of main, of somebody who has logged in to the platform."""

    folder: Path
    env: dict[str, str]

    def lockgate(self, *words: str) -> str:
        process = subprocess.run(
            [str(self.folder / ".venv-outerbounds" / "bin" / "lockgate"), *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    def tags(self, run: str) -> set[str]:
        """The user tags of a run, as Metaflow's client shows them."""
        code = f"from metaflow import Run, namespace; namespace(None); print(*Run({run!r}).user_tags, sep='\\n')"
        python = str(self.folder / ".venv-outerbounds" / "bin" / "python")
        process = subprocess.run(
            [python, "-c", code], cwd=self.folder, env=self.env, capture_output=True, text=True, check=True
        )
        return set(process.stdout.split())


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory,
    orders_conf: Path,
    new_bucket: Callable[[], S3],
    new_metadata_service: Callable[[], str],
    outerbounds: Path,
) -> Iterator[Models]:
    """Main as it is shipped, but with orders, and with a log that must be signed. No model reigns yet."""
    folder, s3 = tmp_path_factory.mktemp("models"), new_bucket()
    pem, line = generate_key()
    secrets = {"UNRELATED": "canary-of-the-repository"}
    environments = {"promotion": Environment(("main",), {"LOCKGATE_SIGNING_KEY": pem.decode()})}
    with hub(
        folder / "github", ROOT, secrets=secrets, variables={"LOCKGATE_PROMOTION": "on"}, environments=environments
    ) as github:
        files = _orders(orders_conf, {"judge": {"role": "judge", "key": line, "last_entry": None}})
        github.repository.commit("main", files, message="Orders", author="maintainer", branch="main")
        config = {
            "METAFLOW_DEFAULT_METADATA": "service",
            "METAFLOW_SERVICE_URL": new_metadata_service(),
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{s3.bucket}/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": s3.endpoint,
            "OBP_AUTH_SERVER": HOSTS[0],
            "OBP_PERIMETER": "default",
        }
        bindings = {"lockgate-promotion": f"repo:{REPOSITORY}:environment:promotion"}
        with platform(folder, github.identities, config=config, bindings=bindings) as reached:
            github.image = image(folder / "image", outerbounds=outerbounds)
            github.image.env |= reached.env | {"AWS_ENDPOINT_URL": s3.endpoint, "OMP_NUM_THREADS": "1"}
            canaries = (*secrets.values(), *(part for part in pem.decode().splitlines() if "---" not in part))
            yield Models(github, reached, folder, canaries)


@pytest.fixture(scope="module")
def desk(models: Models) -> Callable[[str], Desk]:
    """Makes one; its user is known to the platform."""

    def make(name: str) -> Desk:
        home = models.folder / f"home-{name}"
        (home / ".metaflowconfig").mkdir(parents=True)
        key = models.platform.issue(name)
        config = models.platform.config | {"METAFLOW_SERVICE_AUTH_KEY": key}
        (home / ".metaflowconfig" / "config.json").write_text(json.dumps(config), encoding="utf-8")
        folder = models.folder / f"desk-{name}"
        models.github.repository.checkout("main", folder)
        image = models.github.image
        env = image.env | {"HOME": str(home), "PATH": ":".join(image.path), "LANG": "C.UTF-8", "USER": name}
        subprocess.run(["make", "setup", "extra=outerbounds"], cwd=folder, env=env, check=True, capture_output=True)
        return Desk(folder, env)

    return make


def _orders(conf: Path, trusted: dict[str, Any]) -> dict[str, str | bytes]:
    """What main has in the place of flights."""
    changed = {
        f"conf/{path.relative_to(conf)}": path.read_text(encoding="utf-8")
        for path in conf.rglob("*.yaml")
        if not (shipped := ROOT / "conf" / path.relative_to(conf)).exists()
        or shipped.read_text(encoding="utf-8") != path.read_text(encoding="utf-8")
    }
    table = conf.parent / "orders.csv"
    changed["conf/data/orders.yaml"] = changed["conf/data/orders.yaml"].replace(str(table), "data/orders.csv")
    local = yaml.safe_load((conf / "platform" / "local.yaml").read_text(encoding="utf-8"))
    local["keys"] |= {"required": True, "trusted": trusted}
    changed["conf/platform/local.yaml"] = yaml.safe_dump(local, sort_keys=False)
    model = changed[MODEL_FILE]
    changed[MODEL_FILE] = model.replace("trees: 20", "trees: 1").replace("max_depth: 4", "max_depth: 1")
    return {**changed, "data/orders.csv": table.read_bytes()}
