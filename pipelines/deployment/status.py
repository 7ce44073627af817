"""What is deployed of each flow: since when, from which commit, what starts it, and its last runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lockgate.pipelines.deployment.applying import COMMIT
from lockgate.pipelines.deployment.cluster import notes
from lockgate.pipelines.deployment.normal import DEPLOYED_AT
from lockgate.pipelines.deployment.objects import PLURALS, Document, Key
from lockgate.pipelines.deployment.preflight import OWNER
from lockgate.pipelines.deployment.running import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One flow. `starts` says what starts it; None where it is not deployed."""

    flow: str
    template: str
    deployed: bool
    at: str | None
    commit: str | None
    owner: str | None
    starts: tuple[str, ...]
    runs: tuple[Run, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.deployed:
            yield f"{self.flow}: not deployed"
            return
        commit = f", commit {self.commit[:12]}" if self.commit else ""
        yield f"{self.flow}: deployed {self.at or 'at an unknown time'} by {self.owner or 'nobody known'}{commit}"
        yield f"  {self.template}"
        yield f"  starts: {'; '.join(self.starts) or 'by hand only'}"
        for run in self.runs:
            span = f"{run.started or 'not started'} … {run.finished or ''}".rstrip(" …")
            yield f"  {run.phase:<9}  {run.pathspec}  {span}"
        if not self.runs:
            yield "  no run yet"


def standings(
    deployed: Mapping[Key, Document], templates: Mapping[str, str], runs: Mapping[str, list[Run]]
) -> Iterator[Standing]:
    """Each flow, by what was found of it."""
    by_kind = {(key.plural, key.name): document for key, document in deployed.items()}
    for flow, template in templates.items():
        held = by_kind.get((PLURALS["WorkflowTemplate"], template))
        told = notes(held) if held else {}
        cron = by_kind.get((PLURALS["CronWorkflow"], template))
        sensor = by_kind.get((PLURALS["Sensor"], told.get("metaflow/sensor_name") or template.replace(".", "-")))
        yield Standing(
            flow=flow,
            template=template,
            deployed=held is not None,
            at=told.get(DEPLOYED_AT),
            commit=told.get(COMMIT),
            owner=told.get(OWNER),
            starts=(*_schedule(cron), *_events(sensor)),
            runs=tuple(runs.get(flow, ())),
        )


def _schedule(cron: Document | None) -> Iterator[str]:
    if cron is None:
        return
    spec = cron["spec"]
    schedules = spec.get("schedules") or [spec.get("schedule")]
    suspended = " (suspended)" if spec.get("suspend") else ""
    for schedule in schedules:
        if schedule:
            yield f"at {schedule} {spec.get('timezone') or 'UTC'}{suspended}"


def _events(sensor: Document | None) -> Iterator[str]:
    for dependency in sensor["spec"].get("dependencies", ()) if sensor else ():
        for one in (dependency.get("filters") or {}).get("exprs", ()):
            if one["expr"].startswith("name == "):
                yield f"when {one['expr'].removeprefix('name == ').strip(chr(39))}"
