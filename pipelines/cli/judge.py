"""`lockgate judge`: judge a finished run, or evidence from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gates.errors import LockgateError, SettingsError
from pipelines.cli import options

if TYPE_CHECKING:
    from pipelines.cli.deciding import Reported


def judge(
    run: Annotated[str | None, typer.Argument(help="A finished run: EvaluateNewModel/ID, or its ID.")] = None,
    evidence: Annotated[Path | None, typer.Option(help="Judge this evidence file instead of a run.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (YAML) for --evidence.")] = None,
    as_json: options.Json = False,
    decision: options.DecisionFile = None,
    report: options.ReportFile = None,
) -> None:
    """Judge a finished run and promote it where every gate passes; or judge an evidence file, which is never logged."""
    from pipelines.cli.deciding import report as show

    if run is not None and evidence is None and policy is None:
        told = _of_run(run)
    elif run is None and evidence is not None and policy is not None:
        told = _of_file(evidence, policy)
    else:
        raise SettingsError("nothing to judge", expected="a RUN, or --evidence FILE with --policy FILE")
    raise typer.Exit(show(told, as_json=as_json, decision_file=decision, report_file=report))


def _of_run(run: str) -> Reported:
    from gates import runs
    from pipelines.cli.deciding import decide_and_log
    from pipelines.promotion_log import open_log
    from pipelines.settings import compose

    runs.check_installation()
    composed = compose()
    project = composed.settings.data.project
    claim = runs.claim(run if "/" in run else f"EvaluateNewModel/{run}")
    told = claim.evidence.facts.get("project")
    if told != project:
        raise LockgateError(f"the run is of project {told!r}", expected=f"project {project!r}", where=claim.run)
    return decide_and_log(composed.policy, claim.evidence, open_log(composed.settings, writing=True))


def _of_file(evidence: Path, policy: Path) -> Reported:
    from gates.evidence import Evidence
    from gates.policy import Policy
    from pipelines.cli.deciding import decide_only

    parsed = Policy.parse(policy_mapping(policy))
    return decide_only(parsed, Evidence.read(evidence), None, why="the evidence comes from a file")


def policy_mapping(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise SettingsError(f"cannot read the policy: {err.strerror}", where=str(path)) from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        first = str(err).splitlines()[0]
        raise SettingsError(f"the policy is not YAML: {first}", where=str(path)) from err
