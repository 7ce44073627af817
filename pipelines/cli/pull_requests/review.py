"""`lockgate review`: judge what a pull request proposes, by this checkout's code and rules."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.report.review import Review
    from lockgate.pipelines.pull_requests.review import ReviewedProposal

REPORT, PAGE, SUMMARY, STATEMENT = "report.md", "report.html", "review.json", "vsa.json"
OUTPUT_KEYS = ("verdict", "chosen", "weaker", "run", "decision_sha256", "report_sha256")
"""Keys of the summary that are passed on to other jobs of a workflow."""

BUNDLE_HINT = "--bundle takes what `lockgate bundle` writes, or what the protected branch published"


def review(
    proposal: Annotated[Path, typer.Argument(help="The folder that `lockgate propose` wrote.")],
    head: Annotated[str, typer.Option(help="The version to merge: a git revision, or a directory with conf/.")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    base: Annotated[str, typer.Option(help="The name of this checkout in the report.")] = "the protected branch",
    bundle: Annotated[Path | None, typer.Option(help="The champion to compare with, from `lockgate bundle`.")] = None,
    output: options.OutputFile = None,
    as_json: options.Json = False,
) -> None:
    """Score every candidate again, judge it, list what the pull request changes in the rules, and write a report.

    Writes report.md, report.html and review.json, and a decision and an in-toto statement for each candidate. Runs no
    code of the pull request, and logs nothing. The exit code is that of the chosen candidate's verdict. Without
    --bundle nothing is compared; the verdict can then be PROMOTE only if the promotion log has entries but never had a
    champion. If a champion reigns, or was scored beside a candidate, pass it with --bundle.
    """
    from lockgate.gates.kinds import PART_NOUNS
    from lockgate.gates.records.outcome import EXIT_CODE
    from lockgate.gates.report.page import render_page
    from lockgate.gates.report.review import render
    from lockgate.pipelines.cli.shared.decision import build_statement
    from lockgate.pipelines.cli.shared.files import append_text, check_free, format_json, print_json, write_folder
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.github.annotations import format_outputs
    from lockgate.pipelines.promotion.decide import ReportedDecision
    from lockgate.pipelines.pull_requests.review import review_proposal, this_version
    from lockgate.pipelines.pull_requests.versions import load_version
    from lockgate.pipelines.settings.groups import ROOT

    check_free(out)
    composed = compose_project(need="candidates and a model to score again")
    outcome = review_proposal(
        composed, proposal, base=this_version(base), head=load_version(head, repository=ROOT), bundle=bundle
    )
    text = render(outcome.review, part_nouns=PART_NOUNS)
    summary = _summarize(outcome, text)
    html = render_page(text, title=f"lockgate: {outcome.review.headline}")
    files = {REPORT: text.encode(), PAGE: html.encode(), SUMMARY: format_json(summary).encode()}
    for candidate in outcome.review.candidates:
        if candidate.decision is not None:
            reported = ReportedDecision(decision=candidate.decision, entry=None, note="")
            statement = build_statement(
                reported, policy=outcome.policy, evidence=outcome.evidence[candidate.name], on_record=False
            )
            files[f"{candidate.name}.json"] = (candidate.decision.to_json() + "\n").encode()
            files[f"{candidate.name}.{STATEMENT}"] = format_json(statement).encode()
    write_folder(out, files)
    if output:
        claim = {"claim": True} if "claim" in summary else {}
        append_text(output, format_outputs({name: summary[name] for name in OUTPUT_KEYS} | claim))
    for line in _format_notices(outcome.review, annotations=os.environ.get("GITHUB_ACTIONS") == "true"):
        typer.echo(line, err=True)
    if as_json:
        print_json(summary)
    else:
        typer.echo(f"{outcome.review.headline}: {out / REPORT}")
    raise typer.Exit(EXIT_CODE[outcome.review.verdict])


def _summarize(outcome: ReviewedProposal, text: str) -> dict[str, Any]:
    """The review as JSON, for other jobs and programs."""
    import hashlib

    from lockgate.gates.report.changes import as_json

    spokesman = outcome.review.chosen_candidate
    decision = spokesman.decision if spokesman else None
    return {
        "verdict": str(outcome.review.verdict),
        "chosen": outcome.review.chosen,
        "run": decision.binding.run if decision else None,
        "decision_sha256": decision.sha256 if decision else None,
        "report_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "weaker": outcome.review.weakens_rules,
        "problem": outcome.review.problem,
        "candidates": [
            {
                "name": candidate.name,
                "overrides": list(candidate.overrides),
                "error": candidate.error,
                "claimed": candidate.claimed,
                "decision": json.loads(candidate.decision.to_json()) if candidate.decision else None,
            }
            for candidate in outcome.review.candidates
        ],
        "rules": as_json(outcome.review.changes) if outcome.review.changes else None,
        **({"claim": spokesman.claimed} if spokesman and spokesman.claimed else {}),
        **({"not_compared": outcome.review.uncompared} if outcome.review.uncompared else {}),
    }


def _format_notices(review: Review, *, annotations: bool) -> Iterator[str]:
    """What nobody should miss, as lines or GitHub annotations: weaker rules, and what was not judged."""
    from lockgate.gates.errors import printable
    from lockgate.gates.report.review import CLAIM_REMARK
    from lockgate.pipelines.github.annotations import Level, format_annotations

    weaker = review.changes.weakenings if review.changes else ()
    uncompared = [("not compared", f"{review.uncompared}; {BUNDLE_HINT}")] if review.uncompared else []
    notices: dict[Level, list[tuple[str, str]]] = {
        "warning": [
            *(
                (f"weaker: {finding.name}", f"{finding.where}: {finding.before} to {finding.after}; {finding.why}")
                for finding in weaker
            ),
            *(
                ("not judged", f"{candidate.name}: {candidate.error}")
                for candidate in review.candidates
                if candidate.error
            ),
            *(
                (CLAIM_REMARK, f"{candidate.name}: {candidate.claimed}")
                for candidate in review.candidates
                if candidate.claimed
            ),
            *uncompared,
        ],
        "error": [("not judged", review.problem)] if review.problem else [],
    }
    for level, messages in notices.items():
        yield from (
            format_annotations(level, messages)
            if annotations
            else (printable(f"{title}: {text}") for title, text in messages)
        )
