"""`lockgate plan`: how many rows the gates need, and how small a gain the holdout at hand can show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.gates.planning import RowPlan
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.state import State
    from lockgate.pipelines.settings.governance import Governance


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """The scored holdout that a plan takes its standard errors from, with a description."""

    evidence: Evidence | None
    description: str
    state: State | None = None  # of the project's log, which counts looks


def plan(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [OVERRIDE]...", help="A finished run (by default the last one judged), and overrides."
        ),
    ] = None,
    evidence: Annotated[Path | None, typer.Option(help="Plan with this evidence file instead of a run.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Plan for this policy (YAML) instead of the project's.")] = None,
    gain: Annotated[
        list[str] | None, typer.Option(metavar="METRIC=VALUE", help="The true gain to plan for; may be repeated.")
    ] = None,
    power: Annotated[float, typer.Option(help="Probability of PASS to plan for.")] = 0.8,
    disagreement: Annotated[
        float | None, typer.Option(help="Without a pilot: the share of rows that exactly one of two models gets right.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Plan a holdout: the rows that every gate needs, and the smallest gain that this holdout can show. Logs nothing.

    The pilot is a run that was judged beside a champion: after `lockgate evaluate`, `lockgate plan` uses that run.
    Overrides try another policy: gate.checks.log_loss.margin=0.002.
    """
    from lockgate.gates.planning import plan as planned

    overrides, runs = _split_words(words or [])
    sources = [*runs, *([evidence] if evidence else []), *([disagreement] if disagreement is not None else [])]
    if len(sources) > 1:
        raise SettingsError("several things to plan with are given", expected="one RUN, --evidence or --disagreement")
    if policy is not None and overrides:
        raise SettingsError("overrides change conf/gate, not a file", expected="overrides or --policy FILE")
    gains = dict(_parse_gain(text) for text in gain or [])
    from lockgate.pipelines.cli.shared.project import compose_project, load_policed_project

    chosen_policy = None if policy is None else _read_policy(policy)
    needs_log = evidence is None and disagreement is None
    settings: Governance | None = None
    if overrides:
        composed = compose_project(overrides, need="conf/gate for overrides; --policy FILE tries another policy")
        settings, chosen_policy = composed.settings, composed.policy
    elif chosen_policy is None or needs_log:
        settings, declared_policy = load_policed_project()
        chosen_policy = chosen_policy or declared_policy
    if settings is not None and needs_log:
        pilot = _pilot_from_run(runs[0] if runs else None, settings)
    elif evidence is not None:
        pilot = _pilot_from_file(evidence)
    else:
        pilot = Pilot(evidence=None, description=f"no pilot; assumed: {disagreement:g} of the rows change")
    computed_plan = planned(
        chosen_policy, power=power, gain=gains, evidence=pilot.evidence, disagreement=disagreement, state=pilot.state
    )
    _show(computed_plan, pilot, as_json=as_json)


def _split_words(words: list[str]) -> tuple[list[str], list[str]]:
    return [word for word in words if "=" in word], [word for word in words if "=" not in word]


def _parse_gain(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as err:
        raise SettingsError(
            f"{text[:80]!r} is not a gain", expected="METRIC=VALUE, as in log_loss=0.002", where="--gain"
        ) from err


def _read_policy(file: Path) -> Policy:
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.cli.models.judge import read_policy_mapping

    return Policy.parse(read_policy_mapping(file))


def _pilot_from_file(file: Path) -> Pilot:
    from lockgate.gates.evidence.evidence import Evidence

    return Pilot(evidence=Evidence.read(file), description=f"the pilot is {file}")


def _pilot_from_run(run: str | None, settings: Governance) -> Pilot:
    """The given run, or the last one that was judged beside a champion."""
    from lockgate.gates import runs
    from lockgate.pipelines.promotion.log import open_log

    runs.check_installation()
    log = open_log(settings)
    if run is not None:
        claim = runs.load_claim(run if "/" in run else f"EvaluateNewModel/{run}")
        return Pilot(evidence=claim.evidence, description=f"the pilot is {claim.run}", state=log.state())
    last = _last_run(log)
    if last is None:
        return Pilot(evidence=None, description="no run has been judged yet: the first one is a pilot")
    return Pilot(
        evidence=runs.load_claim(last).evidence,
        description=f"the pilot is {last}, the last one judged",
        state=log.state(),
    )


def _last_run(log: Log) -> str | None:
    """The newest judged run that was compared with a champion, or the newest one at all."""
    from lockgate.gates.evidence.facts import read_part

    newest = None
    for entry in log.backwards():
        if entry.judgement is None or entry.judgement.run is None:
            continue
        if read_part(entry.judgement.decision, "binding").get("champion_scores"):
            return entry.judgement.run
        newest = newest or entry.judgement.run
    return newest


def _show(computed_plan: RowPlan, pilot: Pilot, *, as_json: bool) -> None:
    from lockgate.pipelines.cli.shared.files import console, print_json

    if as_json:
        print_json({**_round_values(asdict(computed_plan)), "enough": computed_plan.enough, "pilot": pilot.description})
        return
    from lockgate.gates.report import plan as report

    out = console()
    out.print(f"power {computed_plan.power:g} for each gate; {pilot.description}\n", markup=False)
    out.print(report.render(computed_plan))
    out.print("nothing was logged: a plan does not count as a look at the holdout", markup=False, style="dim")


def _round_values(value: Any) -> Any:
    """Round numbers as in records."""
    from lockgate.gates.records.outcome import round_to_12_digits

    if isinstance(value, dict):
        return {name: _round_values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_round_values(item) for item in value]
    return round_to_12_digits(value) if isinstance(value, float) else value
