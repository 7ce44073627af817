"""What a log refers to, compared with it: runs with their evidence and models, their tags, published predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from lockgate.gates import runs
from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import tags
from lockgate.gates.runs import NoSuchRunError, Owner, Remains, RunTags
from lockgate.gates.verification.entries import LogWalk, Progress
from lockgate.gates.verification.findings import Findings, PromotionRecord

FLOW = "EvaluateNewModel"
"""Its runs are checked for tags, besides the runs of every flow that the log names."""


class PublishedVersion(Protocol):
    """A version of predictions, as far as it names an entry and a model."""

    @property
    def version(self) -> int: ...
    @property
    def log_seq(self) -> int: ...
    @property
    def log_sha256(self) -> str: ...
    @property
    def model_sha256(self) -> str: ...
    @property
    def current(self) -> bool: ...
    @property
    def withdrawn(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMismatch:
    """A run whose tags do not agree with the log: what to add, what to remove, and what nobody can remove."""

    run: str
    add: frozenset[str]
    remove: frozenset[str]
    stuck: frozenset[str]
    logged: bool  # the log names the run
    blocked_because: str = ""  # why no tag of the run may be changed; empty if they may

    @property
    def unfixable(self) -> TagMismatch:
        """What remains once everything that can be changed is."""
        return replace(self, add=frozenset(), remove=frozenset())

    @property
    def description(self) -> str:
        """The mismatch in words; empty if there is none."""
        parts = (
            (self.add, "lacks {}, which it should have according to the log"),
            (self.remove, "has {}, which it should not have according to the log"),
            (
                self.stuck,
                "has {} as a system tag, which it should not have according to the log and nobody can remove",
            ),
        )
        problems = "; ".join(sentence.format(", ".join(sorted(names))) for names, sentence in parts if names)
        if not problems or not self.blocked_because:
            return problems
        return f"{problems}; it {self.blocked_because}, so its tags are left as they are"


def check_promotions(walk: LogWalk, findings: Findings, *, deep: bool, report_progress: Progress) -> None:
    """Compare the run of each promotion with its entry: for models that reign or may reign again, or with `deep` all.

    Raises RunError if Metaflow cannot be reached.
    """
    state = walk.head.state if walk.head else None
    champions = (state.champion, *state.predecessors) if state else ()
    serving = {champion.seq for champion in champions if champion}
    selected = [promotion for promotion in walk.promotions if deep or promotion.seq in serving]
    reigning = state.champion.seq if state and state.champion else None
    for count, promotion in enumerate(selected, start=1):
        _check_promotion(promotion, findings, reigns=promotion.seq == reigning)
        findings.promotions += 1
        report_progress(count, len(selected))
    if skipped := len(walk.promotions) - len(selected):
        promotions = "1 promotion" if skipped == 1 else f"{skipped:,} promotions"
        findings.note(f"the runs of {promotions} that nothing can serve were not checked; --deep checks them too")


def _check_promotion(promotion: PromotionRecord, findings: Findings, *, reigns: bool) -> None:
    run, seq = promotion.run, promotion.seq
    try:
        remains = runs.load_remains(run)
    except NoSuchRunError:
        findings.add("run", run, f"there is no such run, and entry {seq} promoted it")
        return
    except LockgateError as err:
        if isinstance(err, runs.UnreachableError):
            raise
        findings.add("run", run, f"its artifacts cannot be read, and entry {seq} promoted it: {err.problem}")
        return
    if remains.model_sha256 is None and reigns:
        findings.add("run", run, "its model is gone, and it reigns: nothing can be served")
    elif remains.model_sha256 is None:
        findings.note(f"the model of {run} was erased, so it was not compared with entry {seq}")
    if remains.evidence is None:
        findings.note(f"the evidence of {run} was erased, so it was not compared with entry {seq}")
    for name, actual, expected in _pair_digests(promotion, remains):
        if actual != expected:
            findings.add("run", run, f"its {name} is not what entry {seq} binds: {actual}; expected {expected}")


def _pair_digests(promotion: PromotionRecord, remains: Remains) -> Iterable[tuple[str, str | None, str | None]]:
    """(name, digest of what is left, digest that the entry binds)"""
    if remains.model_sha256 is not None:
        yield "model (SHA-256)", remains.model_sha256, promotion.model
    if remains.evidence is not None:
        evidence = remains.evidence
        challenger, champion = evidence.scores_digest(evidence.challenger), evidence.scores_digest(evidence.champion)
        yield "holdout (digest of rows and labels)", evidence.holdout, promotion.holdout
        yield "score column (digest)", challenger, promotion.scores
        yield "column of the champion's scores (digest)", champion, promotion.champion_scores


def find_tag_mismatches(walk: LogWalk, findings: Findings, *, project: str) -> list[TagMismatch]:
    """The runs whose tags do not agree with the log.

    Runs of other projects follow other logs; they get a note instead. If the log names a run that another project owns
    by now, or whose owner is unknown, the mismatch is reported and nothing may be changed.

    Raises UnreachableError if Metaflow cannot be reached.
    """
    expected_tags = walk.book.expected_tags()
    flows = sorted({FLOW, *map(_flow_of, expected_tags)})
    tagged_runs = [tagged for flow in flows for tagged in runs.list_tagged_runs(flow)]
    mismatches = []
    for tagged in sorted(tagged_runs, key=lambda tagged: tagged.run):
        logged = tagged.run in expected_tags
        mismatch = _find_mismatch(tagged, expected_tags.get(tagged.run, frozenset()), logged=logged)
        if mismatch is None:
            continue
        ownership = runs.find_owner(tagged.run, tagged.system, project=project, logged=logged)
        if ownership.owner is Owner.OTHER and not logged:
            findings.note(f"{tagged.run} {ownership.description}: its tags follow another log")
        elif ownership.owner is Owner.OWN:
            mismatches.append(mismatch)
        else:
            mismatches.append(replace(mismatch, blocked_because=ownership.description))
    findings.tagged = len(tagged_runs)
    return mismatches


def _find_mismatch(tagged: RunTags, expected: frozenset[str], *, logged: bool) -> TagMismatch | None:
    stuck = (tagged.system & tags.LOG_TAGS) - expected
    lacking = expected - tagged.user - tagged.system
    extra = ((tagged.user & tags.LOG_TAGS) - expected) | tags.find_forged_tags(tagged.user)
    if not (lacking or extra or stuck):
        return None
    return TagMismatch(run=tagged.run, add=lacking, remove=extra, stuck=stuck, logged=logged)


def _flow_of(run: str) -> str:
    return run.partition("/")[0]


def check_versions(
    versions: Iterable[PublishedVersion], digests: Mapping[int, str], findings: Findings, *, last: int
) -> None:
    """Check every published version against the entry that it was published under."""
    for version in versions:
        findings.versions += 1
        where, seq = f"version {version.version}", version.log_seq
        if seq not in digests:
            fate = f", and the log ends at {last}: was its tail deleted?" if seq > last else ", which is gone"
            findings.add("predictions", where, f"it was published under entry {seq}{fate}")
        elif digests[seq] != version.log_sha256:
            problem = f"entry {seq} is not the one that it was published under: SHA-256 {digests[seq]}"
            findings.add("predictions", where, f"{problem}; expected {version.log_sha256}")


def check_revoked(versions: Iterable[PublishedVersion], walk: LogWalk, findings: Findings) -> None:
    """List every version of a revoked model that is not withdrawn: it may stay until another version replaces it.

    A version that was published under the revocation, or later, is a deviation.
    """
    if walk.head is None:
        return
    state = walk.head.state
    replaced = f"until {'' if state.champion else 'another model is promoted and '}`lockgate predict` replaces it"
    for version in versions:
        revocation = state.revoked.get(version.model_sha256)
        if revocation is None or version.withdrawn:
            continue
        where, revoked = f"version {version.version}", f"its model was revoked by entry {revocation}"
        if version.log_seq >= revocation:
            findings.add("predictions", where, f"it was published under entry {version.log_seq}, and {revoked}")
        findings.pending.append(
            f"{where} is served although {revoked}: it stays {replaced}, or until `lockgate predictions withdraw`"
            if version.current
            else f"{where} is not served, and {revoked}: the next publication withdraws it"
        )
