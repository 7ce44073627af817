"""A decision as verbs show it: on the terminal, as files, and as an in-toto statement for attestations."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.pipelines.cli.shared.files import append, console, indented, print_json, write_file, write_whole
from lockgate.pipelines.promotion.actor import clock

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.promotion.decide import Reported


def report(
    told: Reported,
    *,
    as_json: bool,
    decision_file: Path | None,
    report_file: Path | None,
    output_file: Path | None = None,
) -> int:
    """Show the decision, write the files asked for, and give the exit code."""
    if decision_file:
        write_whole(decision_file, told.decision.to_json() + "\n")
    if report_file:
        from lockgate.gates.kinds import PART_NOUNS
        from lockgate.gates.report import markdown

        append(report_file, markdown.render(told.decision, part_nouns=PART_NOUNS) + f"\n{markdown.safe(told.note)}\n")
    if output_file:
        from lockgate.pipelines.github.annotations import lines

        made = told.decision
        append(output_file, lines({"verdict": made.verdict, "run": made.binding.run, "decision_sha256": made.sha256}))
    if as_json:
        import json

        print_json({"decision": json.loads(told.decision.to_json()), "entry": told.entry, "note": told.note})
    else:
        from lockgate.gates.report import terminal

        out = console()
        out.print(terminal.render(told.decision))
        out.print(f"  {told.note}", markup=False)
    return told.decision.exit_code


def _possible(path: Path | None) -> Path | None:
    """Refused before anything is trained or logged, not after."""
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


StatementFile = Annotated[
    Path | None,
    typer.Option(
        "--statement",
        help="Write an in-toto statement of the decision to this file, and its predicate beside it.",
        dir_okay=False,
        writable=True,
        callback=_possible,
    ),
]


def attest(
    file: Path, told: Reported, *, policy: Policy, evidence: Evidence, on_record: bool, log: Log | None = None
) -> None:
    """Write the statement to `file`, and its predicate alone, which GitHub's action takes, to its `.predicate.json`."""
    made = statement_of(told, policy=policy, evidence=evidence, on_record=on_record, log=log)
    write_file(predicate_file(file), indented(made["predicate"]).encode())
    write_file(file, indented(made).encode())


def statement_of(
    told: Reported, *, policy: Policy, evidence: Evidence, on_record: bool, log: Log | None = None
) -> dict[str, Any]:
    """The statement."""
    from lockgate.gates.evidence.facts import read_part
    from lockgate.gates.log.policies import policy_bytes
    from lockgate.gates.report.statement import statement

    facts = evidence.facts
    challenger = read_part(facts, "challenger")
    told_project = str(facts.get("project"))
    project = told_project if re.fullmatch(r"[a-z0-9_-]{1,64}", told_project) else "unknown"
    return statement(
        told.decision,
        name=f"{project}/{challenger.get('model') or 'model'}" if challenger else project,
        project=project,
        on_record=on_record,
        policy_sha256=hashlib.sha256(policy_bytes(policy)).hexdigest(),
        evidence_sha256=hashlib.sha256(evidence.to_bytes()).hexdigest(),
        time=_time(told, log),
    )


def predicate_file(statement: Path) -> Path:
    """Where the predicate of a statement goes: `x.json` has it in `x.predicate.json`."""
    return statement.with_suffix(".predicate.json")


def _time(told: Reported, log: Log | None) -> datetime:
    """When it was judged: as the entry that records it says, else now."""
    return clock() if told.entry is None or log is None else log.entry(told.entry).time
