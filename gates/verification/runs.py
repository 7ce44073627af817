"""What a log points to, held against it: runs with their evidence and models, their tags, and published predictions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from lockgate.gates import runs
from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import tags
from lockgate.gates.runs import NoSuchRunError, Owner, Remains, RunTags
from lockgate.gates.verification.entries import LogWalk
from lockgate.gates.verification.findings import Findings, PromotionRecord

FLOW = "EvaluateNewModel"
"""Whose runs are looked at for tags, beside those of every flow that the log names."""


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
    """A run whose tags are not what the log says: what to put, what to take away, and what nobody can."""

    run: str
    add: frozenset[str]
    remove: frozenset[str]
    stuck: frozenset[str]
    logged: bool  # whether the log names it
    kept: str = ""  # why nothing of it may be changed; empty where all of it may

    @property
    def left(self) -> TagMismatch:
        """What remains when all that can be changed is."""
        return replace(self, add=frozenset(), remove=frozenset())

    @property
    def said(self) -> str:
        """This in words; empty where nothing is wrong."""
        parts = (
            (self.add, "lacks {}, which the log says that it has"),
            (self.remove, "bears {}, which the log does not bear out"),
            (self.stuck, "bears {} as a system tag, which the log does not bear out and nobody can remove"),
        )
        wrong = "; ".join(said.format(", ".join(sorted(some))) for some, said in parts if some)
        return f"{wrong}; it {self.kept}, so its tags are left as they are" if wrong and self.kept else wrong


def check_promotions(
    walk: LogWalk, findings: Findings, *, deep: bool, report_progress: Callable[[int, int], None]
) -> None:
    """Hold the run of each promotion against its entry: those of models that reign or may again, with `deep` all.

    Raises RunError where Metaflow cannot be reached.
    """
    state = walk.head.state if walk.head else None
    serving = {one.seq for one in (state.champion, *state.predecessors) if one} if state else set()
    chosen = [one for one in walk.promotions if deep or one.seq in serving]
    reigning = state.champion.seq if state and state.champion else None
    for done, one in enumerate(chosen, start=1):
        _check_promotion(one, findings, reigns=one.seq == reigning)
        findings.promotions += 1
        report_progress(done, len(chosen))
    if left := len(walk.promotions) - len(chosen):
        promotions = "1 promotion" if left == 1 else f"{left:,} promotions"
        findings.note(f"the runs of {promotions} that nothing can serve were not looked at (--deep)")


def _check_promotion(one: PromotionRecord, findings: Findings, *, reigns: bool) -> None:
    said = f"entry {one.seq} promoted it"
    try:
        left = runs.load_remains(one.run)
    except NoSuchRunError:
        findings.add("run", one.run, f"there is no such run, and {said}")
        return
    except LockgateError as err:
        if isinstance(err, runs.UnreachableError):
            raise
        findings.add("run", one.run, f"what it left behind cannot be read, and {said}: {err.problem}")
        return
    if left.model_sha256 is None and reigns:
        findings.add("run", one.run, "its model is gone, and it reigns: nothing can be served")
    elif left.model_sha256 is None:
        findings.note(f"the model of {one.run} was erased: it was not held against entry {one.seq}")
    if left.evidence is None:
        findings.note(f"the evidence of {one.run} was erased: it was not held against entry {one.seq}")
    for what, found, expected in _compare(one, left):
        if found != expected:
            findings.add("run", one.run, f"its {what} is not what entry {one.seq} binds: {found}; expected {expected}")


def _compare(one: PromotionRecord, left: Remains) -> Iterable[tuple[str, str | None, str | None]]:
    if left.model_sha256 is not None:
        yield "model (SHA-256)", left.model_sha256, one.model
    if left.evidence is not None:
        seen = left.evidence
        yield "holdout (digest of rows and labels)", seen.holdout, one.holdout
        yield "score column (digest)", seen.scores_digest(seen.challenger), one.scores
        yield "column of the champion's scores (digest)", seen.scores_digest(seen.champion), one.champion_scores


def find_tag_mismatches(walk: LogWalk, findings: Findings, *, project: str) -> list[TagMismatch]:
    """The runs whose tags are not what the log says.

    The tags of another project's runs follow another log, and a note says so. Of a run that the log names and that is
    another's by now, and of one whose project is unknown, nothing may be changed. Raises UnreachableError where
    Metaflow cannot be reached.
    """
    wanted = walk.book.expected_tags()
    found = [one for flow in sorted({FLOW, *map(_flow, wanted)}) for one in runs.tagged_runs(flow)]
    wrong = []
    for one in sorted(found, key=lambda one: one.run):
        logged = one.run in wanted
        mistaken = _find_mismatch(one, wanted.get(one.run, frozenset()), logged=logged)
        if mistaken is None:
            continue
        whose = runs.ownership(one.run, one.system, project=project, logged=logged)
        if whose.owner is Owner.OTHER and not logged:
            findings.note(f"{one.run} {whose.description}: its tags follow another log")
        else:
            wrong.append(mistaken if whose.owner is Owner.OWN else replace(mistaken, kept=whose.description))
    findings.tagged = len(found)
    return wrong


def _find_mismatch(one: RunTags, wanted: Collection[str], *, logged: bool) -> TagMismatch | None:
    stuck = (one.system & tags.LOG_TAGS) - frozenset(wanted)
    put = frozenset(wanted) - one.user - one.system
    drop = ((one.user & tags.LOG_TAGS) - frozenset(wanted)) | tags.find_forged_tags(one.user)
    if not (put or drop or stuck):
        return None
    return TagMismatch(run=one.run, add=put, remove=drop, stuck=stuck, logged=logged)


def _flow(run: str) -> str:
    return run.partition("/")[0]


def check_versions(
    versions: Iterable[PublishedVersion], digests: Mapping[int, str], findings: Findings, *, last: int
) -> None:
    """Hold every published version against the entry that it was made under."""
    for one in versions:
        findings.versions += 1
        where = f"version {one.version}"
        if one.log_seq not in digests:
            why = f", and the log ends at {last}: was its tail deleted?" if one.log_seq > last else ", which is gone"
            findings.add("predictions", where, f"it was published under entry {one.log_seq}{why}")
        elif digests[one.log_seq] != one.log_sha256:
            found = digests[one.log_seq]
            findings.add(
                "predictions",
                where,
                f"entry {one.log_seq} is not the one that it was published under: SHA-256 {found};"
                f" expected {one.log_sha256}",
            )


def check_revoked(versions: Iterable[PublishedVersion], walk: LogWalk, findings: Findings) -> None:
    """Name every version of a revoked model that is not withdrawn: it may be there, until another replaces it.

    One that was published under the revocation, or after it, is a deviation.
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
