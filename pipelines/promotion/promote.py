"""What the flow Promote does: judge a run by the deployed policy, and publish the event of a promotion."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.promotion.decide import ReportedDecision, judge_run
from lockgate.pipelines.promotion.events import Reporter

if TYPE_CHECKING:
    from lockgate.pipelines.settings.settings import Settings

PROMOTED_EVENT = "promoted"
"""The event of Argo Events that Predict waits for, within Metaflow's project and branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionResult:
    """The reported decision on a run, and whether it made the run's model the champion."""

    reported: ReportedDecision
    promoted: bool


def judge_and_promote(settings: Settings, policy: Mapping[str, Any], *, run: str, report: Reporter) -> PromotionResult:
    """Judge `run` by the policy that was deployed. Raises as `decide.judge_run`, and SettingsError without a run."""
    from lockgate.gates.records.outcome import Ruling

    if not run:
        raise SettingsError(
            "no run to judge: none was given, and this flow was not started by the end of a run",
            expected="EvaluateNewModel/ID",
            where="--run",
        )
    reported = judge_run(settings, Policy.parse(policy), run).reported
    verdict = str(reported.decision.verdict)
    report(f"{verdict}: {reported.note}", event="judged", verdict=verdict, run=run, entry=reported.entry)
    return PromotionResult(
        reported=reported, promoted=reported.entry is not None and reported.decision.verdict is Ruling.PROMOTE
    )


def publish_event(reported: ReportedDecision, *, report: Reporter) -> None:
    """Publish the event that starts Predict; outside Argo nothing happens.

    A webhook that is down is no failure: the promotion is in the log, and the next scheduled Predict follows it.
    """
    if "ARGO_WORKFLOW_TEMPLATE" not in os.environ:
        return
    from metaflow.integrations import ArgoEvent

    from lockgate.gates.runs import metaflow_api

    published = ArgoEvent(metaflow_api.name_event(PROMOTED_EVENT)).safe_publish({"entry": str(reported.entry)})
    outcome = "published" if published else "not published; Predict follows by its schedule"
    report(
        f"event {PROMOTED_EVENT}: {outcome}",
        event="event_published" if published else "event_lost",
        entry=reported.entry,
    )


def check_decision(decision: str) -> None:
    """Raise LockgateError if the decision (JSON) is an ERROR: the gates could not judge."""
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.records.outcome import Ruling

    parsed = Decision.model_validate_json(decision)
    if parsed.verdict is Ruling.ERROR:
        raise LockgateError(f"the run could not be judged: {parsed.reason}", hint="the report is on the card")
