"""Turn conf/platform into Metaflow's decorators of a flow. Imports nothing heavy."""

from __future__ import annotations

from typing import Any

from metaflow import FlowMutator

from lockgate.gates.runs import metaflow_api


class on_platform(FlowMutator):  # noqa: N801 - used as a decorator, as Metaflow's own
    """Give a flow its retries, timeout, resources, secrets and variables, and in production its schedule and events.

    flow: its name in conf/platform (evaluate, promote, predict). after: the flow whose end starts it. event: the
    event that starts it. All values come from the flow's Config `settings`.
    """

    def init(self, flow: str, *, after: str = "", event: str = "") -> None:
        self._flow, self._after, self._event = flow, after, event

    def pre_mutate(self, mutable_flow: Any) -> None:
        settings = dict(mutable_flow.configs)["settings"]
        platform: dict[str, Any] = settings.to_dict()["platform"]
        variables = {name: value for name, value in platform["environment"].items() if value is not None}
        for _, step in mutable_flow.steps:
            step.add_decorator(
                "retry",
                deco_kwargs={"times": platform["retries"], "minutes_between_retries": platform["retry_minutes"]},
            )
            step.add_decorator("timeout", deco_kwargs={"minutes": platform["timeout_minutes"]})
            if variables:
                step.add_decorator("environment", deco_kwargs={"vars": variables})
            if platform["kind"] != "local":
                step.add_decorator("kubernetes", deco_kwargs=self._pod(platform))
        if platform["kind"] != "local":
            self._start_by_itself(mutable_flow, platform)

    def _pod(self, platform: dict[str, Any]) -> dict[str, Any]:
        arguments = {
            "cpu": platform["cpu"],
            "memory": platform["memory_mb"],
            "image": platform["image"],
            "namespace": platform["namespace"],
            "service_account": platform["service_account"],
            "secrets": platform["secrets"][self._flow],
        }
        return {name: value for name, value in arguments.items() if value}

    def _start_by_itself(self, mutable_flow: Any, platform: dict[str, Any]) -> None:
        schedule = platform["schedule"]
        if cron := schedule.get(self._flow):
            mutable_flow.add_decorator("schedule", deco_kwargs={"cron": cron, "timezone": schedule["timezone"]})
        if platform["events"] and self._after:
            mutable_flow.add_decorator("trigger_on_finish", deco_kwargs={"flow": self._after})
        if platform["events"] and self._event:
            mutable_flow.add_decorator("trigger", deco_kwargs={"event": metaflow_api.name_event(self._event)})
