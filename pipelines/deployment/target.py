"""What is deployed: the flows, their settings, and the branch of Metaflow's @project."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.settings.platform import KeySettings, Schedule, Secrets
from lockgate.pipelines.settings.settings import Settings, compose


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFlow:
    """A flow of pipelines/: its file, and which Configs it takes."""

    file: str
    policy: bool = False


FLOWS: Mapping[str, DeployedFlow] = {
    "EvaluateNewModel": DeployedFlow(file="evaluate.py", policy=True),
    "Promote": DeployedFlow(file="promote.py", policy=True),
    "Predict": DeployedFlow(file="predict.py"),
}
"""Every flow that is deployed, by the name of its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployTarget:
    """What is deployed, and to which branch. None is production."""

    settings: Settings
    policy: Policy
    branch: str | None

    @property
    def project(self) -> str:
        """Metaflow's @project."""
        from lockgate.gates import runs

        return runs.metaflow_project(self.settings.data.project)

    @property
    def words(self) -> list[str]:
        """The options of Metaflow's command line that choose the branch."""
        return ["--production"] if self.branch is None else ["--branch", self.branch]

    @property
    def project_branch(self) -> str:
        """The branch as Metaflow names it."""
        return "prod" if self.branch is None else f"test.{self.branch}"

    def __str__(self) -> str:
        return f"{self.project}.{self.project_branch}"

    def template_names(self) -> dict[str, str]:
        """The name of each flow's WorkflowTemplate, as Metaflow derives it."""
        from lockgate.gates.runs.metaflow_api import name_workflow

        return {flow: name_workflow(project=self.project, branch=self.project_branch, flow=flow) for flow in FLOWS}


def load_target(platform: str = "", branch: str | None = None) -> DeployTarget:
    """Production as conf/production.yaml describes it, or a branch beside it. Raises SettingsError, PolicyError."""
    composed = compose([f"platform={platform}"] if platform else [], config="production")
    if branch is None:
        return DeployTarget(settings=composed.settings, policy=composed.policy, branch=None)
    name = branch_slug(branch)
    return DeployTarget(settings=_separate_branch(composed.settings, name), policy=composed.policy, branch=name)


def branch_slug(branch: str) -> str:
    """A branch's name for Metaflow, in a-z, 0-9 and _: a readable part and a hash that makes it unique."""
    readable = re.sub(r"[^a-z0-9]+", "_", branch.lower()).strip("_")[:20].strip("_")
    digest = hashlib.sha256(branch.encode()).hexdigest()[:8]
    return f"{readable}_{digest}" if readable else digest


def _separate_branch(settings: Settings, branch: str) -> Settings:
    """Settings of a branch: its own log, looks and predictions, no judge's key, and no schedule.

    A branch may contain anybody's code. It gets only the secrets that every flow of production gets, and its log is
    unsigned, because it has no trusted key.
    """
    platform = settings.platform
    secrets = platform.secrets
    shared = tuple(name for name in secrets.evaluate if name in secrets.promote and name in secrets.predict)
    alone = platform.model_copy(
        update={
            "schedule": Schedule(evaluate=None, predict=None, timezone=platform.schedule.timezone),
            "secrets": Secrets(evaluate=shared, promote=shared, predict=shared),
            "keys": KeySettings(required=False, private="environment", trusted={}),
        }
    )
    data = settings.data.model_copy(update={"project": f"{settings.data.project[:30]}-{branch.replace('_', '-')}"})
    return Settings.parse(settings.model_copy(update={"platform": alone, "data": data}).model_dump(mode="json"))
