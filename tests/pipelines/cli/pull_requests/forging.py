"""A pull request's checkout and what its job would hand in, made without training it in a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate import Evidence, hash_row_ids
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.pull_requests.rescore import Basis
from tests.conftest import Project

RUN = "EvaluateNewModel/7"


@dataclass(frozen=True)
class Desk:
    """Where a proposal is forged, and reviewed beside a champion that is easily beaten."""

    project: Project
    head: Path
    weak: Path
    basis: Basis

    @property
    def folder(self) -> Path:
        return self.project.home / "proposal"

    def fitted(self, kind: str, **changes: Any) -> bytes:
        """The bytes of an honest model of a kind."""
        split, settings, model = self.basis.split, self.basis.settings, MODELS[kind]
        declared = settings.model.model_extra if kind == settings.model.name else {}
        params = model.Params.model_validate({**(declared or {}), **changes})
        fitted = model.fit(split.train, split.train_labels, params=params, task=settings.data.task, seed=settings.seed)
        return fitted.to_bytes()

    def hand_in(self, name: str, kind: str, format: str, blob: bytes, **columns: Any) -> None:  # noqa: A002 - as the facts have it
        """A candidate's files, with the labels for scores, or with other `columns` of evidence."""
        split, sha256 = self.basis.split, hashlib.sha256(blob).hexdigest()
        facts = {
            "challenger": {"run": RUN, "model": kind, "format": format, "sha256": sha256},
            "train_row_hashes": hash_row_ids(split.train_row_ids),
        }
        rows = {"label": split.labels, "challenger": split.labels, "row_id": split.row_ids, **columns}
        evidence = Evidence.from_arrays(**rows, facts=facts)
        self.folder.mkdir(exist_ok=True)
        evidence.write(self.folder / f"{name}.arrow")
        (self.folder / f"{name}.model").write_bytes(blob)

    def change(self, file: str, changes: Mapping[str, str]) -> None:
        """Change a file of the pull request's conf/."""
        path = self.head / "conf" / file
        text = path.read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def review(
        self, names: Mapping[str, str], *, extra: Sequence[str] = (), **env: str
    ) -> tuple[Any, dict[str, Any], str]:
        """What the command did, its JSON, and the report.

        named: the candidates of conf/candidates.yaml, each with its override; all of them were evaluated.
        extra: what was evaluated beside them, without an override.
        """
        listed = "".join(f"{name}: [{override}]\n" for name, override in names.items())
        (self.head / "conf" / "candidates.yaml").write_text(listed, encoding="utf-8")
        evaluated = {**{name: [] for name in extra}, **{name: [override] for name, override in names.items()}}
        proposed = [
            {"name": name, "overrides": overrides, "run": RUN, "error": ""} for name, overrides in evaluated.items()
        ]
        (self.folder / "proposal.json").write_text(json.dumps({"format": 1, "candidates": proposed}), encoding="utf-8")
        words = ("--bundle", str(self.weak), "--head", str(self.head), "--out", "out", "--output", "outputs")
        completed = self.project.run("review", "proposal", *words, **env)
        assert "Traceback" not in completed.stderr
        out = self.project.home / "out"
        summary = json.loads((out / "review.json").read_text(encoding="utf-8"))
        report = (out / "report.md").read_text(encoding="utf-8")
        return completed, summary, report.replace("&#58;", ":").replace("&#95;", "_")
