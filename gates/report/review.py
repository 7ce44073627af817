"""What a pull request is told: the verdict first, what to do next, and then everything it rests on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.records.outcome import RULING_OF, Ruling
from lockgate.gates.report import changes as changes_report
from lockgate.gates.report import markdown, wording
from lockgate.gates.report.markdown import safe

if TYPE_CHECKING:
    from lockgate.gates.judge.comparison import Compared
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.strictness import Changes

ICON = {ruling: wording.ICON[verdict] for verdict, ruling in RULING_OF.items()}
_MEANS = {
    Ruling.PROMOTE: "it would replace the champion",
    Ruling.HOLD: "it would not replace the champion",
    Ruling.INCONCLUSIVE: "the evidence does not show that it may replace the champion, nor that it may not",
    Ruling.ERROR: "it could not be judged",
}
_NEXT = {
    Ruling.PROMOTE: "Have it reviewed and merged. The protected branch then trains it again, judges it again, and"
    " promotes it if the verdict is the same: nothing is promoted by this report.",
    Ruling.HOLD: "See the gates in red, change the model, and push again. Merged as it is, it would be held, and the"
    " champion stays.",
    Ruling.INCONCLUSIVE: "See the gates in yellow for what would be needed: more rows or clusters, or a larger gain."
    " Merged as it is, it would not be promoted, and the champion stays.",
    Ruling.ERROR: "See what is said below, put it right, and push again.",
}


_UNCOMPARED = (
    "Hand in what there is to compare with: `lockgate review --bundle` takes what `lockgate bundle` writes, or what the"
    " protected branch published, of the champion, or of a log that never had one. Until then nothing here says that"
    " this may replace a champion."
)
CLAIM = "claim: advice only"
_BY_CLAIM = ", by the pull request's own claim"
_CLAIMED = "its scores are the pull request's own claim, which this branch cannot check"
_AFTER = (
    "Have it reviewed: nobody but its author can score this model. Once merged, the protected branch has its code, and"
    " trains, scores and judges it by itself."
)
_ALONE = ".venv/bin/lockgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One candidate: judged, or not, and then why."""

    name: str
    overrides: tuple[str, ...]
    decision: Decision | None
    compared: tuple[Compared, ...] = ()
    claimed: str = ""  # why its scores are the pull request's own claim; empty where they were made again
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that is said of a pull request."""

    base: str  # whose rules these are
    candidates: tuple[Judged, ...]
    chosen: str | None  # the candidate that speaks for the pull request
    among: int  # how many were judged, which share the error rate of one
    champion: str  # beside whom they were scored, in words
    changes: Changes | None  # what the pull request changes of the rules; None where that cannot be told
    problem: str = ""  # of the pull request as a whole
    default: str | None = None  # the candidate that merging would train, where the base's default is another
    uncompared: str = ""  # why nothing was compared, although there may be a champion; empty where that is known

    @property
    def spokesman(self) -> Judged | None:
        """The candidate that is chosen."""
        return next((one for one in self.candidates if one.name == self.chosen), None)

    @property
    def verdict(self) -> Ruling:
        """Of the chosen candidate; ERROR where there is none."""
        held = self.spokesman
        return held.decision.verdict if held and held.decision else Ruling.ERROR

    @property
    def reservation(self) -> str:
        """What the verdict is worth less for, in a few words; empty where nothing is."""
        spokesman = self.spokesman
        reservations = [CLAIM] if spokesman and spokesman.claimed else []
        if self.uncompared and spokesman and self.verdict is not Ruling.PROMOTE:
            reservations.append("nothing was compared")
        return ", ".join(reservations)

    @property
    def headline(self) -> str:
        """The verdict, and what it is worth less for."""
        return f"{self.verdict} ({self.reservation})" if self.reservation else str(self.verdict)

    @property
    def weaker(self) -> bool:
        """Whether something that the pull request changes makes the rules weaker, or is for a person to review."""
        return self.changes is None or bool(self.changes.weakenings or self.changes.reviews)


def render(review: Review, *, part_nouns: Mapping[str, str]) -> str:
    """GitHub-flavoured markdown. Everything that the pull request names is escaped and cut.

    part_nouns: what a gate's parts are called, by its kind.
    """
    return "\n".join(_lines(review, part_nouns)) + "\n"


def _lines(review: Review, part_nouns: Mapping[str, str]) -> Iterator[str]:
    held, verdict = review.spokesman, review.verdict
    named = f"`{held.name}`: " if held and len(review.candidates) > 1 else ""
    already = bool(held and held.decision and held.decision.already_champion)
    headline = wording.headline(held.decision) if held and held.decision and already else review.headline
    yield from (f"## {ICON[verdict]} lockgate: {headline}", "")
    means = "this model is the champion already" if already else _MEANS[verdict]
    means = _CLAIMED if held and held.claimed and verdict is Ruling.INCONCLUSIVE else means
    means = named + (means if named else means[:1].upper() + means[1:])
    yield from (f"**{means}.** {safe(_because(review))}", "")
    if review.weaker:
        yield from (f"> ⚠️ **{safe(_warning(review))}**", "")
    yield from (f"**Next:** {'There is nothing to do.' if already else _next(review)}{_merged(review)}", "")
    yield from _candidates(review)
    if held and held.decision:
        of = f" of {held.name}" if len(review.candidates) > 1 else ""
        if held.overrides and not _listed(review):
            yield from (f"{held.name}: {safe(' '.join(held.overrides))}", "")
        yield from _comparison(held)
        yield from (f"### Gates{of}{_BY_CLAIM if held.claimed else ''}", "")
        yield markdown.body(held.decision, part_nouns=part_nouns)
    yield from _policy(review)
    yield from _trust(review)
    yield from _again(review)


def _because(review: Review) -> str:
    held = review.spokesman
    if held and held.decision:
        return f"{wording.sentence(held.decision.reason)} It was scored {review.champion}."
    return review.problem or (held.error if held else "") or "No candidate could be judged."


def _next(review: Review) -> str:
    held = review.spokesman
    if review.verdict is Ruling.PROMOTE and held and held.overrides:
        return (
            f"Make `{held.name}` the default of `conf/` ({safe(' '.join(held.overrides))}), take it out of"
            f" `conf/candidates.yaml`, and push again. {_NEXT[Ruling.PROMOTE]}"
        )
    if review.verdict is Ruling.INCONCLUSIVE and review.uncompared:
        return _UNCOMPARED
    if review.verdict is Ruling.INCONCLUSIVE and held and held.claimed:
        return _AFTER
    return _NEXT[review.verdict]


def _merged(review: Review) -> str:
    """What became of that which merging would train, where another candidate is chosen; empty where none is."""
    default = next((one for one in review.candidates if one.name == review.default), None)
    if default is None or review.chosen in (None, default.name):
        return ""
    verdict = wording.headline(default.decision) if default.decision else "not judged"
    return f" Merged as it is, `{default.name}` is what is trained and judged: {verdict} here."


def _warning(review: Review) -> str:
    if review.changes is None:
        return f"What this pull request changes of the rules cannot be told. It was judged by those of {review.base}."
    weaker, reviews = len(review.changes.weakenings), len(review.changes.reviews)
    counted = [f"makes {weaker} rule{'s' * (weaker != 1)} weaker"] if weaker else []
    counted += [f"changes {reviews} thing{'s' * (reviews != 1)} that a person must review"] if reviews else []
    return f"This pull request {' and '.join(counted)}. It was judged by the rules of {review.base}, not by its own."


def _listed(review: Review) -> list[tuple[Judged, Decision]]:
    """Those that were judged, where there are several; each of one is said by itself."""
    judged = [(one, one.decision) for one in review.candidates if one.decision]
    return judged if len(judged) > 1 else []


def _candidates(review: Review) -> Iterator[str]:
    left = [one for one in review.candidates if not one.decision]
    if judged := _listed(review):
        yield from ("### Candidates", "", "| candidate | | verdict | |", "|---|---|---|---|")
        for one, decision in judged:
            mark = f"**{one.name}**" if one.name == review.chosen else one.name
            reservation = f" ({CLAIM})" if one.claimed else ""
            said = f"{ICON[decision.verdict]} {wording.headline(decision)}{reservation} | {safe(decision.reason)}"
            changed = "conf/ as it stands" if one.name == review.default else " ".join(one.overrides)
            yield f"| {mark} | {safe(changed)} | {said} |"
        yield ""
        yield (
            f"Each bound is at 1/{review.among} of its error rate, so that all {review.among} together err as one"
            " would. Of those that pass, the one whose gain is shown to be greatest is chosen; where none passes, the"
            " one that is nearest to it."
        )
        yield ""
    if left:
        yield from ("### Not judged", "")
        yield from (f"- **{one.name}** {safe(one.error)}" for one in left)
        yield ""


def _comparison(held: Judged) -> Iterator[str]:
    if not held.compared or (held.decision and held.decision.sealed):
        return
    yield from ("### Champion and challenger", "", "| metric | champion | challenger | |", "|---|---|---|---|")
    for one in held.compared:
        better = {True: "better", False: "worse", None: ""}[one.better]
        yield f"| {safe(one.metric)} | {_number(one.champion)} | {_number(one.challenger)} | {better} |"
    yield ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _policy(review: Review) -> Iterator[str]:
    if review.changes is None or not review.changes.findings:
        return
    yield changes_report.markdown(review.changes, title="Rules that this pull request changes")


def _trust(review: Review) -> Iterator[str]:
    held = review.spokesman
    if held is None or held.decision is None:
        return
    whose = (
        f"the pull request's own claim: {held.claimed}"
        if held.claimed
        else f"made again from the model's bytes, by the code and on the rows of {review.base}"
    )
    yield (
        f"<sub>This is advice. Scores: {safe(whose)}. What was trained on, and how long it took, is what the pull"
        " request's own code says.</sub>"
    )
    yield ""


def _again(review: Review) -> Iterator[str]:
    held = review.spokesman
    if held is None or held.decision is None:
        return
    make, alone = (shlex.join([*words, *held.overrides]) for words in (["make", "evaluate"], [_ALONE, "evaluate"]))
    if not make.isprintable() or "`" in make:
        return
    yield from ("<details><summary>Do it again on your machine</summary>", "", "```sh", make, "```", "")
    if held.decision.binding.champion_scores:
        yield from ("or beside the champion that was used here, `champion.tar` among this run's artifacts:", "")
        yield from ("```sh", f"{alone} --bundle champion.tar", "```", "")
    if review.among > 1:
        yield from ("There it is judged as the only candidate, each bound at the whole of its error rate.", "")
    yield "</details>"
