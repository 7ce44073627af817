"""Predict: `python pipelines/predict.py run`, `lockgate predict`, and every day in production."""

from metaflow import Config, FlowSpec, Parameter, current, project, resources, retry, schedule, step

import gates  # noqa: F401 (packages that travel to the pods are those that the flow imports by name)
import pipelines  # noqa: F401
from pipelines.flow_settings import CPU, MEMORY_MB, RETRIES, composed
from pipelines.one_line import in_one_line, say


@project(name="lockgate")
@schedule(daily=True)
class Predict(FlowSpec):
    """Score a window with the champion of the moment and publish it as a new version of the prediction store.

    The champion is looked up in the promotion log when the flow starts, never when it is deployed.
    """

    settings = Config("settings", default_value=composed)
    window = Parameter("window", default="", help="month to predict, as in 2013-11; the one after the champion's as_of")
    upstream_run_id = Parameter(
        "upstream-run-id", default="", help="predict with this run of EvaluateNewModel, if it is the champion or was"
    )

    @retry(times=RETRIES, minutes_between_retries=0)
    @step
    def start(self) -> None:
        """Find the champion and the window."""
        with in_one_line():
            from pipelines.prediction import resolve
            from pipelines.settings import Settings

            settings = Settings.parse(self.settings.to_dict())
            serving = resolve(settings, upstream=self.upstream_run_id, window=self.window, say=say)
        self.serving = serving.model_dump_json()
        self.next(self.publish)

    @resources(cpu=CPU, memory=MEMORY_MB)
    @retry(times=RETRIES, minutes_between_retries=0)
    @step
    def publish(self) -> None:
        """Load, score, check, publish."""
        with in_one_line():
            from pipelines.prediction import Serving, publish
            from pipelines.settings import Settings

            self.version = publish(
                Settings.parse(self.settings.to_dict()),
                Serving.model_validate_json(self.serving),
                source=f"{current.flow_name}/{current.run_id}",
                say=say,
            )
        self.next(self.end)

    @step
    def end(self) -> None:
        """Nothing: the version is published."""


if __name__ == "__main__":
    Predict()
