"""EvaluateNewModel: `python pipelines/evaluate.py run`, `lockgate evaluate`, `make evaluate`."""

from metaflow import Config, FlowSpec, Parameter, current, project, step

import lockgate  # noqa: F401 (packages that travel to the pods are those that the flow imports by name)
from lockgate.pipelines.flows.configs import PROJECT, default_policy, default_settings
from lockgate.pipelines.flows.on_platform import on_platform
from lockgate.pipelines.flows.output import fail_in_one_line, report


@on_platform("evaluate")
@project(name=PROJECT)
class EvaluateNewModel(FlowSpec):
    """Train a challenger and score it beside the champion.

    Leaves the artifacts `evidence` (Arrow IPC bytes), `facts` (JSON) and `model` (bytes). Judges and tags nothing; the
    policy says for which holdout it is vain to train.
    """

    settings = Config("settings", default_value=default_settings)
    policy = Config("policy", default_value=default_policy)
    bundle = Parameter("bundle", default="", help="score beside the champion of this bundle instead of the log's")

    @step
    def start(self) -> None:
        """Load, train, score."""
        with fail_in_one_line():
            from lockgate.gates.policy.policy import Policy
            from lockgate.pipelines.scoring.train import train_and_score
            from lockgate.pipelines.settings.settings import Settings

            evaluated = train_and_score(
                Settings.parse(self.settings.to_dict()),
                Policy.parse(self.policy.to_dict()),
                run=f"{current.flow_name}/{current.run_id}",
                report=report,
                bundle=self.bundle,
            )
        self.evidence, self.facts, self.model = evaluated.evidence, evaluated.facts, evaluated.model
        self.next(self.end)

    @step
    def end(self) -> None:
        """Nothing: the artifacts are complete, and a run that has reached this step is finished."""


if __name__ == "__main__":
    EvaluateNewModel()
