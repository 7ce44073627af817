"""The objects of Kubernetes that a deployed flow consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GROUP, VERSION = "argoproj.io", "v1alpha1"

PLURALS = {"WorkflowTemplate": "workflowtemplates", "CronWorkflow": "cronworkflows", "Sensor": "sensors"}
"""The kinds that Metaflow deploys, with their names in Kubernetes' URLs."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectKey:
    """The identity of an object."""

    namespace: str
    name: str
    plural: str

    @property
    def kind(self) -> str:
        return next(kind for kind, plural in PLURALS.items() if plural == self.plural)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Document = Mapping[str, Any]
"""An object as Kubernetes has it, in JSON."""
