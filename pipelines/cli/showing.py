"""A decision on the terminal, as JSON, and in the files asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.printing import append, console, print_json, write_whole

if TYPE_CHECKING:
    from pipelines.deciding import Reported


def report(
    told: Reported, *, as_json: bool, decision_file: Path | None, report_file: Path | None,
    output_file: Path | None = None,
) -> int:  # fmt: skip
    """Show the decision, write the files asked for, and give the exit code."""
    if decision_file:
        write_whole(decision_file, told.decision.to_json() + "\n")
    if report_file:
        from gates.report import markdown

        append(report_file, markdown.render(told.decision) + f"\n{markdown.safe(told.note)}\n")
    if output_file:
        from pipelines.github.outputs import lines

        made = told.decision
        append(output_file, lines({"verdict": made.verdict, "run": made.binding.run, "decision_sha256": made.sha256}))
    if as_json:
        import json

        print_json({"decision": json.loads(told.decision.to_json()), "entry": told.entry, "note": told.note})
    else:
        from gates.report import terminal

        out = console()
        out.print(terminal.render(told.decision))
        out.print(f"  {told.note}", markup=False)
    return told.decision.exit_code
