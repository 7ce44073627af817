"""`lockgate propose`: train what a pull request proposes, for a judge who does not trust it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options


def propose(
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Score beside the champion in this bundle; without it, alone.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Train and score conf/ as it stands and every candidate in conf/candidates.yaml; write the results to a folder.

    Nothing is judged or logged. `lockgate review`, run from the target branch, judges what is written here; it judges
    conf/ as it stands only if the target branch would train another model, or if no candidate is listed. If the bundle
    cannot be trusted, nothing is trained, and the results say so.
    """
    from lockgate.gates import runs
    from lockgate.gates.errors import LockgateError
    from lockgate.pipelines.cli.shared.files import check_free, print_json, write_folder
    from lockgate.pipelines.cli.shared.flow_run import check_home, run_flow
    from lockgate.pipelines.cli.shared.project import find_conf_project
    from lockgate.pipelines.pull_requests.candidates import ListedCandidate, load_candidates, with_default
    from lockgate.pipelines.pull_requests.proposal import PROPOSAL_FILE, Proposal, ProposedCandidate
    from lockgate.pipelines.settings.settings import compose

    runs.check_installation()
    conf = find_conf_project(need="a model and data to train it on")
    check_home()
    check_free(out)
    problem = _find_bundle_problem(bundle) if bundle else ""
    files: dict[str, bytes] = {}
    where = f"--bundle={bundle.absolute() if bundle else ''}"

    def evaluate_candidate(candidate: ListedCandidate) -> ProposedCandidate:
        identity = {"name": candidate.name, "overrides": candidate.overrides}
        if candidate.refusal or problem:
            return ProposedCandidate(**identity, run=None, error=(candidate.refusal or problem)[:2000])
        sys.stderr.write(f"{candidate.name}: {' '.join(candidate.overrides) or 'conf/ as it stands'}\n")
        try:
            composed = compose(candidate.overrides)
            run = f"EvaluateNewModel/{run_flow('evaluate', composed.settings, [where], policy=composed.policy)}"
            files[f"{candidate.name}.arrow"] = runs.load_claim(run).evidence.to_bytes()
            files[f"{candidate.name}.model"] = runs.load_model_bytes(run)
        except LockgateError as err:
            return ProposedCandidate(**identity, run=None, error=str(err)[:2000])
        return ProposedCandidate(**identity, run=run, error="")

    proposal = Proposal(
        candidates=tuple(evaluate_candidate(candidate) for candidate in with_default(load_candidates(conf)))
    )
    write_folder(out, {PROPOSAL_FILE: proposal.to_bytes(), **files})
    if as_json:
        print_json(proposal.model_dump(mode="json"))
        return
    for candidate in proposal.candidates:
        typer.echo(f"{candidate.name}: {candidate.run or f'not evaluated: {candidate.error}'}")


def _find_bundle_problem(path: Path) -> str:
    """Why no model can be scored beside this bundle; empty if one can. Raises LockgateError if it does not exist."""
    from lockgate.gates.errors import LockgateError, SettingsError
    from lockgate.pipelines.promotion.bundle import read_trusted_bundle
    from lockgate.pipelines.settings.settings import compose

    if not path.exists():
        raise LockgateError("the bundle does not exist", expected="what `lockgate bundle` writes", where=str(path))
    try:
        settings = compose().settings
    except SettingsError:  # reported for each candidate instead, because its overrides may fix it
        return ""
    try:
        read_trusted_bundle(path, settings)
    except LockgateError as err:
        return str(err)
    return ""
