"""Predict: `python pipelines/predict.py run`, `lockgate predict`, and every day in production."""

from metaflow import Config, FlowSpec, Parameter, current, project, step

import lockgate  # noqa: F401 (packages that travel to the pods are those that the flow imports by name)
from lockgate.pipelines.flows.configs import PROJECT, default_settings
from lockgate.pipelines.flows.on_platform import on_platform
from lockgate.pipelines.flows.output import fail_in_one_line, report


@on_platform("predict", event="promoted")
@project(name=PROJECT)
class Predict(FlowSpec):
    """Score a window with the champion of the moment and publish it as a new version of the prediction store.

    The champion is looked up in the promotion log when the flow starts, never when it is deployed. The window is
    scored in shards, which nobody sees until all of them are published at once.
    """

    settings = Config("settings", default_value=default_settings)
    window = Parameter(
        "window", default="", help="period to predict, as in 2013-11; the one after the champion's as_of"
    )
    upstream_run_id = Parameter(
        "upstream-run-id", default="", help="predict with this run of EvaluateNewModel, if it is the champion or was"
    )

    @step
    def start(self) -> None:
        """Find the champion, and share out the window."""
        with fail_in_one_line():
            from lockgate.pipelines.scoring.predict import resolve_serving
            from lockgate.pipelines.settings.settings import Settings

            serving = resolve_serving(
                Settings.parse(self.settings.to_dict()),
                source=f"{current.flow_name}/{current.run_id}",
                upstream=self.upstream_run_id,
                window=self.window,
                report=report,
            )
        self.serving = serving.model_dump_json()
        self.shards = list(range(len(serving.shards)))
        self.next(self.score, foreach="shards")

    @step
    def score(self) -> None:
        """Score one shard, check it, stage it."""
        with fail_in_one_line():
            from lockgate.pipelines.scoring.predict import Serving, stage_shard
            from lockgate.pipelines.settings.settings import Settings

            stage_shard(
                Settings.parse(self.settings.to_dict()),
                Serving.model_validate_json(self.serving),
                self.input,
                report=report,
            )
        self.next(self.publish)

    @step
    def publish(self, shards) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 (Metaflow's inputs)
        """Check the log again, publish all shards as one version, and withdraw versions of revoked models."""
        with fail_in_one_line():
            from lockgate.pipelines.scoring.predict import Serving, publish_version
            from lockgate.pipelines.settings.settings import Settings

            self.merge_artifacts(shards, include=["serving"])
            self.version = publish_version(
                Settings.parse(self.settings.to_dict()), Serving.model_validate_json(self.serving), report=report
            )
        self.next(self.end)

    @step
    def end(self) -> None:
        """Nothing: the version is published."""


if __name__ == "__main__":
    Predict()
