"""`lockgate judge`: judge a finished run, evidence from anywhere, or what `lockgate export` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.cli.shared import options
from lockgate.pipelines.cli.shared.decision import StatementFile

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.promotion.decide import ReportedDecision

MAX_DOCUMENT_BYTES = 256 * 1024**2
"""Size limit of a decision, a policy or a context file."""


def judge(
    run: Annotated[
        str | None, typer.Argument(help="A finished run: FLOW/ID, or the ID of one of EvaluateNewModel.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Judge this evidence file, or a folder that `export` wrote, instead of a run.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (YAML or JSON) for --evidence.")] = None,
    context: Annotated[
        Path | None, typer.Option(help="context.json of an export: judge under the same conditions, and compare.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Public key (ssh-ed25519 AAAA…) that must have signed the exported entry.")
    ] = None,
    as_json: options.Json = False,
    decision: options.DecisionFile = None,
    report: options.ReportFile = None,
    statement: StatementFile = None,
    output: options.OutputFile = None,
) -> None:
    """Judge a finished run and promote it if every gate passes; or judge an evidence file, which is never logged.

    A folder that `lockgate export` wrote is judged under its original conditions; exit code 2 if the decision differs.
    """
    from lockgate.pipelines.cli.shared.decision import attest
    from lockgate.pipelines.cli.shared.decision import show_decision as show

    folder = evidence is not None and evidence.is_dir()
    log = None
    if run is not None and policy is not None and evidence is None:
        raise SettingsError(
            "whoever runs this would choose the gates of a run on the record",
            expected="a RUN without --policy: the policy is the one that lockgate.yaml or conf/gate declares",
            where="--policy",
            hint="change it there, where its owners review it; `lockgate plan RUN --policy FILE` tries another",
        )
    if run is not None and not any((evidence, context, key)):
        reported, judged_evidence, judged_by, log = _judge_run(run)
    elif run is None and evidence is not None and folder and policy is None and context is None:
        reported, judged_evidence, judged_by = _judge_export(evidence, key=key)
    elif run is None and evidence is not None and policy is not None and context is not None:
        reported, judged_evidence, judged_by = _reproduce(evidence, policy, context, key=key)
    elif run is None and evidence is not None and policy is not None and key is None:
        reported, judged_evidence, judged_by = _judge_file(evidence, policy)
    else:
        raise SettingsError("nothing to judge", expected="a RUN, or --evidence FILE with --policy FILE")
    if statement:
        attest(statement, reported, policy=judged_by, evidence=judged_evidence, on_record=log is not None, log=log)
    raise typer.Exit(show(reported, as_json=as_json, decision_file=decision, report_file=report, output_file=output))


def _judge_run(run: str) -> tuple[ReportedDecision, Evidence, Policy, Log]:
    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.project import load_policed_project
    from lockgate.pipelines.promotion.decide import judge_run

    runs.check_installation()
    settings, policy = load_policed_project()
    judgement = judge_run(settings, policy, run)
    return judgement.reported, judgement.evidence, policy, judgement.log


def _judge_file(evidence: Path, policy: Path) -> tuple[ReportedDecision, Evidence, Policy]:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.promotion.decide import decide_only

    parsed = Policy.parse(read_policy_mapping(policy))
    judged_evidence = Evidence.read(evidence)
    return decide_only(parsed, judged_evidence, None, why="the evidence comes from a file"), judged_evidence, parsed


def _judge_export(folder: Path, *, key: str | None) -> tuple[ReportedDecision, Evidence, Policy]:
    """Judge the content of a folder that `export` wrote."""
    from lockgate.gates.verification import export
    from lockgate.pipelines.cli.shared.files import read_capped

    decision = read_capped(folder / export.DECISION_FILE, cap=MAX_DOCUMENT_BYTES)
    return _reproduce(
        folder / export.EVIDENCE_FILE,
        folder / export.POLICY_FILE,
        folder / export.CONTEXT_FILE,
        key=key,
        decision=decision,
    )


def _reproduce(
    evidence: Path, policy: Path, context: Path, *, key: str | None, decision: bytes | None = None
) -> tuple[ReportedDecision, Evidence, Policy]:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.archive import read_archived
    from lockgate.gates.verification import export
    from lockgate.gates.verification import reproduction as again
    from lockgate.pipelines.cli.shared.files import read_capped
    from lockgate.pipelines.promotion.decide import ReportedDecision

    exported = export.Context.from_bytes(read_capped(context, cap=MAX_DOCUMENT_BYTES), where=str(context))
    signed = _describe_signature(exported.parse_entry(str(context)), key)
    parsed = read_archived(read_policy_mapping(policy), where=str(policy))
    judged_evidence = Evidence.read(evidence)
    blob = read_capped(policy, cap=MAX_DOCUMENT_BYTES) if decision is not None else None
    reproduction = again.reproduce(judged_evidence, parsed, exported, decision=decision, policy_file=blob)
    if reproduction.differences:
        raise again.reproduction_error(reproduction.differences)
    note = f"{again.describe_reproduction(exported.parse_entry(), reproduction)}; {signed}; nothing was logged"
    return ReportedDecision(decision=reproduction.decision, entry=None, note=note), judged_evidence, parsed


def _describe_signature(entry: Any, key: str | None) -> str:
    """Who signed the entry, in words. Raises LogError if `key` is given and did not sign it."""
    from lockgate.gates.log import Keyring

    if key is not None:
        keyring = Keyring.from_listed([("--key", "judge", key, None)], where="--key")
        keyring.check(
            entry.payload(), entry.signature, roles=entry.event.signed_by, seq=entry.seq, where=f"entry {entry.seq}"
        )
        return f"signed by {entry.signature.key}"
    if entry.signature is None:
        return "the entry is not signed"
    return f"the entry names the key {entry.signature.key}, which was not checked (--key)"


def read_policy_mapping(path: Path) -> Any:
    """Read a policy file under the same rules as conf/gate. Raises SettingsError."""
    from lockgate.gates import documents

    return documents.read_document(path)
