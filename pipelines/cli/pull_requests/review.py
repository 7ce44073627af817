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
    from lockgate.pipelines.pull_requests.review import Reviewed

REPORT, PAGE, TOLD, STATEMENT = "report.md", "report.html", "review.json", "vsa.json"
HANDED_ON = ("verdict", "chosen", "weaker", "run", "decision_sha256", "report_sha256")
"""What other jobs of a workflow are told."""

HINT = "--bundle takes what `lockgate bundle` writes, or what the protected branch published"


def review(
    proposal: Annotated[Path, typer.Argument(help="The folder that `lockgate propose` wrote.")],
    head: Annotated[str, typer.Option(help="What is to be merged: a git revision, or a directory with conf/.")],
    out: Annotated[Path, typer.Option("--out", help="A folder to make, or an empty one.")],
    base: Annotated[str, typer.Option(help="What this checkout is called in the report.")] = "the protected branch",
    bundle: Annotated[Path | None, typer.Option(help="The champion to compare with, from `lockgate bundle`.")] = None,
    output: options.OutputFile = None,
    as_json: options.Json = False,
) -> None:
    """Score every candidate again, judge it, say what the pull request changes of the rules, and write a report.

    Writes report.md, report.html, review.json, and of each candidate its decision and an in-toto statement. Runs
    nothing of the pull request; logs nothing. Exit code: that of the verdict of the candidate that is chosen.
    Without --bundle nothing is compared; that is PROMOTE only where the promotion log has entries and never had a
    champion. A champion that reigns, or was beside a candidate, has to be handed in.
    """
    from lockgate.gates.kinds import PART_NOUNS
    from lockgate.gates.records.outcome import EXIT_CODE
    from lockgate.gates.report.page import page
    from lockgate.gates.report.review import render
    from lockgate.pipelines.cli.shared.decision import statement_of
    from lockgate.pipelines.cli.shared.files import append, check_free, indented, print_json, write_folder
    from lockgate.pipelines.github.annotations import lines
    from lockgate.pipelines.promotion.decide import Reported
    from lockgate.pipelines.pull_requests.review import reviewed, this
    from lockgate.pipelines.pull_requests.versions import version
    from lockgate.pipelines.settings.groups import ROOT
    from lockgate.pipelines.settings.settings import compose

    check_free(out)
    composed = compose()
    done = reviewed(composed, proposal, base=this(base), head=version(head, repository=ROOT), bundle=bundle)
    text = render(done.review, part_nouns=PART_NOUNS)
    told = _told(done, text)
    shown = page(text, title=f"lockgate: {done.review.headline}")
    files = {REPORT: text.encode(), PAGE: shown.encode(), TOLD: indented(told).encode()}
    for one in done.review.candidates:
        if one.decision is not None:
            reported = Reported(decision=one.decision, entry=None, note="")
            statement = statement_of(reported, policy=done.policy, evidence=done.evidence[one.name], on_record=False)
            files[f"{one.name}.json"] = (one.decision.to_json() + "\n").encode()
            files[f"{one.name}.{STATEMENT}"] = indented(statement).encode()
    write_folder(out, files)
    if output:
        claim = {"claim": True} if "claim" in told else {}
        append(output, lines({name: told[name] for name in HANDED_ON} | claim))
    for line in _beside(done.review, annotations=os.environ.get("GITHUB_ACTIONS") == "true"):
        typer.echo(line, err=True)
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{done.review.headline}: {out / REPORT}")
    raise typer.Exit(EXIT_CODE[done.review.verdict])


def _told(done: Reviewed, text: str) -> dict[str, Any]:
    """The review as JSON: what workflows hand on, and what programs read."""
    import hashlib

    from lockgate.gates.report.changes import as_json

    held = done.review.spokesman
    decision = held.decision if held else None
    return {
        "verdict": str(done.review.verdict),
        "chosen": done.review.chosen,
        "run": decision.binding.run if decision else None,
        "decision_sha256": decision.sha256 if decision else None,
        "report_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "weaker": done.review.weaker,
        "problem": done.review.problem,
        "candidates": [
            {
                "name": one.name,
                "overrides": list(one.overrides),
                "error": one.error,
                "claimed": one.claimed,
                "decision": json.loads(one.decision.to_json()) if one.decision else None,
            }
            for one in done.review.candidates
        ],
        "rules": as_json(done.review.changes) if done.review.changes else None,
        **({"claim": held.claimed} if held and held.claimed else {}),
        **({"not_compared": done.review.uncompared} if done.review.uncompared else {}),
    }


def _beside(review: Review, *, annotations: bool) -> Iterator[str]:
    """What nobody must miss, as lines or annotations of GitHub's: weaker rules, and what was not judged."""
    from lockgate.gates.errors import printable
    from lockgate.gates.report.review import CLAIM
    from lockgate.pipelines.github.annotations import Level, shown

    weaker = review.changes.weakenings if review.changes else ()
    uncompared = [("not compared", f"{review.uncompared}; {HINT}")] if review.uncompared else []
    found: dict[Level, list[tuple[str, str]]] = {
        "warning": [
            *((f"weaker: {one.name}", f"{one.where}: {one.before} to {one.after}; {one.why}") for one in weaker),
            *(("not judged", f"{one.name}: {one.error}") for one in review.candidates if one.error),
            *((CLAIM, f"{one.name}: {one.claimed}") for one in review.candidates if one.claimed),
            *uncompared,
        ],
        "error": [("not judged", review.problem)] if review.problem else [],
    }
    for level, said in found.items():
        yield from shown(level, said) if annotations else (printable(f"{title}: {text}") for title, text in said)
