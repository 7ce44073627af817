"""Showing a decision: on the terminal, in files, and as an in-toto statement for attestations."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.pipelines.cli.shared.files import append_text, console, format_json, print_json, write_file
from lockgate.pipelines.cli.shared.options import check_folder
from lockgate.pipelines.promotion.actor import clock

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.promotion.decide import ReportedDecision


def show_decision(
    reported: ReportedDecision,
    *,
    as_json: bool,
    decision_file: Path | None,
    report_file: Path | None,
    output_file: Path | None = None,
) -> int:
    """Show the decision, write the requested files, and return the exit code."""
    if decision_file:
        write_file(decision_file, (reported.decision.to_json() + "\n").encode())
    if report_file:
        from lockgate.gates.kinds import PART_NOUNS
        from lockgate.gates.report import markdown

        append_text(
            report_file,
            markdown.render(reported.decision, part_nouns=PART_NOUNS) + f"\n{markdown.escape(reported.note)}\n",
        )
    if output_file:
        from lockgate.pipelines.github.annotations import format_outputs

        decision = reported.decision
        append_text(
            output_file,
            format_outputs(
                {"verdict": decision.verdict, "run": decision.binding.run, "decision_sha256": decision.sha256}
            ),
        )
    if as_json:
        import json

        print_json(
            {"decision": json.loads(reported.decision.to_json()), "entry": reported.entry, "note": reported.note}
        )
    else:
        from lockgate.gates.report import terminal

        out = console()
        out.print(terminal.render(reported.decision))
        out.print(f"  {reported.note}", markup=False)
    return reported.decision.exit_code


StatementFile = Annotated[
    Path | None,
    typer.Option(
        "--statement",
        help="Write an in-toto statement of the decision to this file, and its predicate beside it.",
        dir_okay=False,
        writable=True,
        callback=check_folder,
    ),
]


def attest(
    file: Path,
    reported: ReportedDecision,
    *,
    policy: Policy,
    evidence: Evidence,
    on_record: bool,
    log: Log | None = None,
) -> None:
    """Write the statement to `file`, and its predicate alone, which GitHub's action takes, to its `.predicate.json`."""
    statement = build_statement(reported, policy=policy, evidence=evidence, on_record=on_record, log=log)
    write_file(predicate_file(file), format_json(statement["predicate"]).encode())
    write_file(file, format_json(statement).encode())


def build_statement(
    reported: ReportedDecision, *, policy: Policy, evidence: Evidence, on_record: bool, log: Log | None = None
) -> dict[str, Any]:
    """The in-toto statement of a decision."""
    from lockgate.gates.evidence.facts import read_part
    from lockgate.gates.log.policies import policy_bytes
    from lockgate.gates.report.statement import build_statement

    facts = evidence.facts
    challenger = read_part(facts, "challenger")
    claimed_project = str(facts.get("project"))
    project = claimed_project if re.fullmatch(r"[a-z0-9_-]{1,64}", claimed_project) else "unknown"
    return build_statement(
        reported.decision,
        name=f"{project}/{challenger.get('model') or 'model'}" if challenger else project,
        project=project,
        on_record=on_record,
        policy_sha256=hashlib.sha256(policy_bytes(policy)).hexdigest(),
        evidence_sha256=hashlib.sha256(evidence.to_bytes()).hexdigest(),
        time=_judged_time(reported, log),
    )


def predicate_file(statement: Path) -> Path:
    """Where the predicate of a statement goes: `x.json` has it in `x.predicate.json`."""
    return statement.with_suffix(".predicate.json")


def _judged_time(reported: ReportedDecision, log: Log | None) -> datetime:
    """When it was judged: the time of the log entry that records it, or else now."""
    return clock() if reported.entry is None or log is None else log.entry(reported.entry).time
