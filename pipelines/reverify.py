"""Reverify: `lockgate reverify`, `make reverify`."""

from metaflow import Config, FlowSpec, Parameter, current, project, step

import lockgate  # noqa: F401 (packages that travel to the pods are those that the flow imports by name)
from lockgate.pipelines.flows.configs import PROJECT, default_settings
from lockgate.pipelines.flows.on_platform import on_platform
from lockgate.pipelines.flows.output import fail_in_one_line, report


@on_platform("evaluate")
@project(name=PROJECT)
class Reverify(FlowSpec):
    """Score the reigning champion alone, on rows that are new to it.

    Leaves the artifacts of EvaluateNewModel: `evidence` (Arrow IPC bytes), `facts` (JSON) and `model` (the champion's
    bytes). Judges and tags nothing.
    """

    settings = Config("settings", default_value=default_settings)
    as_of = Parameter("as-of", default="", help="period to judge on, as in 2013-11; the one after the champion's")

    @step
    def start(self) -> None:
        """Load the champion and score the rows."""
        with fail_in_one_line():
            from lockgate.pipelines.scoring.rescore_champion import score_champion_again
            from lockgate.pipelines.settings.settings import Settings

            evaluated = score_champion_again(
                Settings.parse(self.settings.to_dict()),
                run=f"{current.flow_name}/{current.run_id}",
                as_of=self.as_of,
                report=report,
            )
        self.evidence, self.facts, self.model = evaluated.evidence, evaluated.facts, evaluated.model
        self.next(self.end)

    @step
    def end(self) -> None:
        """Nothing: the artifacts are complete, and a run that has reached this step is finished."""


if __name__ == "__main__":
    Reverify()
