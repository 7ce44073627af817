"""Each deployed flow: since when, from which commit, what starts it, and its last runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lockgate.pipelines.deployment.applying import COMMIT_ANNOTATION
from lockgate.pipelines.deployment.cluster import read_annotations
from lockgate.pipelines.deployment.normal import DEPLOYED_AT
from lockgate.pipelines.deployment.objects import PLURALS, Document, ObjectKey
from lockgate.pipelines.deployment.preflight import OWNER_ANNOTATION
from lockgate.pipelines.deployment.running import WorkflowRun


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStanding:
    """One flow. `starts`: what starts it. Fields are None if it is not deployed."""

    flow: str
    template: str
    deployed: bool
    deployed_at: str | None
    commit: str | None
    owner: str | None
    starts: tuple[str, ...]
    runs: tuple[WorkflowRun, ...]

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {"at": fields.pop("deployed_at"), **fields}

    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.deployed:
            yield f"{self.flow}: not deployed"
            return
        commit = f", commit {self.commit[:12]}" if self.commit else ""
        time, owner = self.deployed_at or "at an unknown time", self.owner or "an unknown user"
        yield f"{self.flow}: deployed {time} by {owner}{commit}"
        yield f"  {self.template}"
        yield f"  starts: {'; '.join(self.starts) or 'by hand only'}"
        for run in self.runs:
            span = f"{run.started or 'not started'} … {run.finished or ''}".rstrip(" …")
            yield f"  {run.phase:<9}  {run.pathspec}  {span}"
        if not self.runs:
            yield "  no run yet"


def describe_flows(
    deployed: Mapping[ObjectKey, Document], templates: Mapping[str, str], runs: Mapping[str, list[WorkflowRun]]
) -> Iterator[FlowStanding]:
    """Describe each flow by the objects that exist for it."""
    by_kind = {(key.plural, key.name): document for key, document in deployed.items()}
    for flow, template in templates.items():
        workflow_template = by_kind.get((PLURALS["WorkflowTemplate"], template))
        annotations = read_annotations(workflow_template) if workflow_template else {}
        cron = by_kind.get((PLURALS["CronWorkflow"], template))
        sensor = by_kind.get((PLURALS["Sensor"], annotations.get("metaflow/sensor_name") or template.replace(".", "-")))
        yield FlowStanding(
            flow=flow,
            template=template,
            deployed=workflow_template is not None,
            deployed_at=annotations.get(DEPLOYED_AT),
            commit=annotations.get(COMMIT_ANNOTATION),
            owner=annotations.get(OWNER_ANNOTATION),
            starts=(*_describe_schedule(cron), *_describe_events(sensor)),
            runs=tuple(runs.get(flow, ())),
        )


def _describe_schedule(cron: Document | None) -> Iterator[str]:
    if cron is None:
        return
    spec = cron["spec"]
    schedules = spec.get("schedules") or [spec.get("schedule")]
    suspended = " (suspended)" if spec.get("suspend") else ""
    for schedule in schedules:
        if schedule:
            yield f"at {schedule} {spec.get('timezone') or 'UTC'}{suspended}"


def _describe_events(sensor: Document | None) -> Iterator[str]:
    for dependency in sensor["spec"].get("dependencies", ()) if sensor else ():
        for expression in (dependency.get("filters") or {}).get("exprs", ()):
            if expression["expr"].startswith("name == "):
                yield f"when {expression['expr'].removeprefix('name == ').strip(chr(39))}"
