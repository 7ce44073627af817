"""Promote: the judge in production, `python pipelines/promote.py run --run EvaluateNewModel/123`."""

from metaflow import Config, FlowSpec, Parameter, card, current, project, step

import lockgate  # noqa: F401 (packages that travel to the pods are those that the flow imports by name)
from lockgate.pipelines.flows.configs import PROJECT, default_policy, default_settings
from lockgate.pipelines.flows.on_platform import on_platform
from lockgate.pipelines.flows.output import fail_in_one_line, report


@on_platform("promote", after="EvaluateNewModel")
@project(name=PROJECT)
class Promote(FlowSpec):
    """Judge a finished run of EvaluateNewModel by the deployed policy, and promote it if every gate passes.

    The only flow that gets the judge's key. Leaves the artifacts `verdict`, `entry` (of the promotion log, or
    None) and `decision` (JSON, as far as the policy discloses it), and a card with the report.
    """

    settings = Config("settings", default_value=default_settings)
    policy = Config("policy", default_value=default_policy)
    run_id = Parameter("run", default="", help="EvaluateNewModel/ID, or the ID; the run whose end started this one")

    @card(type="blank")
    @step
    def start(self) -> None:
        """Judge, log and tag, and publish the event of a promotion."""
        with fail_in_one_line():
            from lockgate.pipelines.promotion.card import build_card
            from lockgate.pipelines.promotion.promote import judge_and_promote, publish_event
            from lockgate.pipelines.settings.settings import Settings

            trigger = current.get("trigger")
            result = judge_and_promote(
                Settings.parse(self.settings.to_dict()),
                self.policy.to_dict(),
                run=self.run_id or (trigger.run.pathspec if trigger and trigger.run else ""),
                report=report,
            )
            current.card.extend(build_card(result.reported))
            self.verdict, self.entry = str(result.reported.decision.verdict), result.reported.entry
            self.decision = result.reported.decision.to_json()
            if result.promoted:
                publish_event(result.reported, report=report)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Fail if the run could not be judged, so that somebody looks at it."""
        with fail_in_one_line():
            from lockgate.pipelines.promotion.promote import check_decision

            check_decision(self.decision)


if __name__ == "__main__":
    Promote()
