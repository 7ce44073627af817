"""The report on a pull request: the verdict, what to do next, and then everything behind the verdict."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.records.outcome import RULING_OF, Ruling
from lockgate.gates.report import changes as changes_report
from lockgate.gates.report import markdown, wording
from lockgate.gates.report.markdown import escape

if TYPE_CHECKING:
    from lockgate.gates.judge.comparison import MetricComparison
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.strictness import Changes

RULING_ICONS = {ruling: wording.VERDICT_ICONS[verdict] for verdict, ruling in RULING_OF.items()}
_MEANINGS = {
    Ruling.PROMOTE: "it would replace the champion",
    Ruling.HOLD: "it would not replace the champion",
    Ruling.INCONCLUSIVE: "the evidence does not show that it may replace the champion, nor that it may not",
    Ruling.ERROR: "it could not be judged",
}
_NEXT_STEPS = {
    Ruling.PROMOTE: "Have it reviewed and merged. The protected branch then trains it again, judges it again, and"
    " promotes it if the verdict is the same. This report promotes nothing.",
    Ruling.HOLD: "See the gates in red, change the model, and push again. Merged as it is, it would be held, and the"
    " champion stays.",
    Ruling.INCONCLUSIVE: "See the gates in yellow for what would be needed: more rows or clusters, or a larger gain."
    " Merged as it is, it would not be promoted, and the champion stays.",
    Ruling.ERROR: "Fix what is described below, and push again.",
}


_UNCOMPARED_STEPS = (
    "Provide the champion to compare with: `lockgate review --bundle` takes the file that `lockgate bundle` writes or"
    " that the protected branch published. It also shows if there never was a champion. Until then nothing here shows"
    " that this model may replace one."
)
CLAIM_REMARK = "claim: advice only"
_BY_CLAIM = ", by the pull request's own claim"
_CLAIMED_MEANING = "its scores are the pull request's own claim, which this branch cannot check"
_CLAIMED_STEPS = (
    "Have it reviewed: only its author can score this model. After the merge the protected branch has its code, and"
    " trains, scores and judges the model by itself."
)
_COMMAND = ".venv/bin/lockgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateReview:
    """What became of one candidate: its decision, or the error that kept it from being judged."""

    name: str
    overrides: tuple[str, ...]
    decision: Decision | None
    comparisons: tuple[MetricComparison, ...] = ()
    claimed: str = ""  # why its scores are the pull request's own claim; empty where they were made again
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything that the report on a pull request says."""

    base: str  # the version whose rules were used
    candidates: tuple[CandidateReview, ...]
    chosen: str | None  # the candidate that speaks for the pull request
    among: int  # how many candidates were judged; they share the error rate of one
    champion: str  # the champion that they were scored beside, in words
    changes: Changes | None  # what the pull request changes in the rules; None where that is unknown
    problem: str = ""  # of the pull request as a whole
    default: str | None = None  # the candidate that merging would train, where the base's default is another
    uncompared: str = ""  # why nothing was compared, although there may be a champion; empty where that is known

    @property
    def chosen_candidate(self) -> CandidateReview | None:
        """The chosen candidate."""
        return next((candidate for candidate in self.candidates if candidate.name == self.chosen), None)

    @property
    def verdict(self) -> Ruling:
        """The verdict on the chosen candidate; ERROR if there is none."""
        chosen = self.chosen_candidate
        return chosen.decision.verdict if chosen and chosen.decision else Ruling.ERROR

    @property
    def reservation(self) -> str:
        """Why the verdict counts for less, in a few words; empty if it counts in full."""
        chosen = self.chosen_candidate
        reservations = [CLAIM_REMARK] if chosen and chosen.claimed else []
        if self.uncompared and chosen and self.verdict is not Ruling.PROMOTE:
            reservations.append("nothing was compared")
        return ", ".join(reservations)

    @property
    def headline(self) -> str:
        """The verdict, and why it counts for less."""
        return f"{self.verdict} ({self.reservation})" if self.reservation else str(self.verdict)

    @property
    def weakens_rules(self) -> bool:
        """Whether the pull request makes a rule weaker, or changes one in a way that a person must review."""
        return self.changes is None or bool(self.changes.weakenings or self.changes.reviews)


def render(review: Review, *, part_nouns: Mapping[str, str]) -> str:
    """GitHub-flavoured markdown. Everything that the pull request names is escaped and cut.

    part_nouns: what a gate's parts are called, by its kind.
    """
    return "\n".join(_lines(review, part_nouns)) + "\n"


def _lines(review: Review, part_nouns: Mapping[str, str]) -> Iterator[str]:
    chosen, verdict = review.chosen_candidate, review.verdict
    prefix = f"`{chosen.name}`: " if chosen and len(review.candidates) > 1 else ""
    already_champion = bool(chosen and chosen.decision and chosen.decision.already_champion)
    headline = (
        wording.format_headline(chosen.decision) if chosen and chosen.decision and already_champion else review.headline
    )
    yield from (f"## {RULING_ICONS[verdict]} lockgate: {headline}", "")
    meaning = "this model is the champion already" if already_champion else _MEANINGS[verdict]
    meaning = _CLAIMED_MEANING if chosen and chosen.claimed and verdict is Ruling.INCONCLUSIVE else meaning
    meaning = prefix + (meaning if prefix else meaning[:1].upper() + meaning[1:])
    yield from (f"**{meaning}.** {escape(_explain_verdict(review))}", "")
    if review.weakens_rules:
        yield from (f"> ⚠️ **{escape(_format_warning(review))}**", "")
    yield from (
        f"**Next:** {'There is nothing to do.' if already_champion else _next_step(review)}{_describe_merge(review)}",
        "",
    )
    yield from _candidate_lines(review)
    if chosen and chosen.decision:
        suffix = f" of {chosen.name}" if len(review.candidates) > 1 else ""
        if chosen.overrides and not _judged_candidates(review):
            yield from (f"{chosen.name}: {escape(' '.join(chosen.overrides))}", "")
        yield from _comparison_lines(chosen)
        yield from (f"### Gates{suffix}{_BY_CLAIM if chosen.claimed else ''}", "")
        yield markdown.render_body(chosen.decision, part_nouns=part_nouns)
    yield from _change_lines(review)
    yield from _trust_lines(review)
    yield from _repeat_lines(review)


def _explain_verdict(review: Review) -> str:
    chosen = review.chosen_candidate
    if chosen and chosen.decision:
        return f"{wording.format_sentence(chosen.decision.reason)} It was scored {review.champion}."
    return review.problem or (chosen.error if chosen else "") or "No candidate could be judged."


def _next_step(review: Review) -> str:
    chosen = review.chosen_candidate
    if review.verdict is Ruling.PROMOTE and chosen and chosen.overrides:
        return (
            f"Make `{chosen.name}` the default of `conf/` ({escape(' '.join(chosen.overrides))}), take it out of"
            f" `conf/candidates.yaml`, and push again. {_NEXT_STEPS[Ruling.PROMOTE]}"
        )
    if review.verdict is Ruling.INCONCLUSIVE and review.uncompared:
        return _UNCOMPARED_STEPS
    if review.verdict is Ruling.INCONCLUSIVE and chosen and chosen.claimed:
        return _CLAIMED_STEPS
    return _NEXT_STEPS[review.verdict]


def _describe_merge(review: Review) -> str:
    """The verdict on what merging would train, where another candidate was chosen; empty where it is the same."""
    default = next((candidate for candidate in review.candidates if candidate.name == review.default), None)
    if default is None or review.chosen in (None, default.name):
        return ""
    verdict = wording.format_headline(default.decision) if default.decision else "not judged"
    return f" Merged as it is, `{default.name}` is what is trained and judged: {verdict} here."


def _format_warning(review: Review) -> str:
    if review.changes is None:
        return f"It is unknown what this pull request changes in the rules. It was judged by those of {review.base}."
    weaker, reviews = len(review.changes.weakenings), len(review.changes.reviews)
    effects = [f"makes {weaker} rule{'s' * (weaker != 1)} weaker"] if weaker else []
    effects += [f"changes {reviews} thing{'s' * (reviews != 1)} that a person must review"] if reviews else []
    return f"This pull request {' and '.join(effects)}. It was judged by the rules of {review.base}, not by its own."


def _judged_candidates(review: Review) -> list[tuple[CandidateReview, Decision]]:
    """The judged candidates, if there are several; a single one needs no table."""
    judged = [(candidate, candidate.decision) for candidate in review.candidates if candidate.decision]
    return judged if len(judged) > 1 else []


def _candidate_lines(review: Review) -> Iterator[str]:
    unjudged = [candidate for candidate in review.candidates if not candidate.decision]
    if judged := _judged_candidates(review):
        yield from ("### Candidates", "", "| candidate | | verdict | |", "|---|---|---|---|")
        for candidate, decision in judged:
            mark = f"**{candidate.name}**" if candidate.name == review.chosen else candidate.name
            reservation = f" ({CLAIM_REMARK})" if candidate.claimed else ""
            verdict = f"{RULING_ICONS[decision.verdict]} {wording.format_headline(decision)}{reservation}"
            changed = "conf/ as it stands" if candidate.name == review.default else " ".join(candidate.overrides)
            yield f"| {mark} | {escape(changed)} | {verdict} | {escape(decision.reason)} |"
        yield ""
        yield (
            f"Each bound is at 1/{review.among} of its error rate, so that all {review.among} together err no more"
            " often than one would. Of those that pass, the one whose gain is shown to be greatest is chosen; if none"
            " passes, the one that comes closest."
        )
        yield ""
    if unjudged:
        yield from ("### Not judged", "")
        yield from (f"- **{candidate.name}** {escape(candidate.error)}" for candidate in unjudged)
        yield ""


def _comparison_lines(candidate: CandidateReview) -> Iterator[str]:
    if not candidate.comparisons or (candidate.decision and candidate.decision.sealed):
        return
    yield from ("### Champion and challenger", "", "| metric | champion | challenger | |", "|---|---|---|---|")
    for comparison in candidate.comparisons:
        better = {True: "better", False: "worse", None: ""}[comparison.better]
        values = f"{_format_number(comparison.champion)} | {_format_number(comparison.challenger)}"
        yield f"| {escape(comparison.metric)} | {values} | {better} |"
    yield ""


def _format_number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _change_lines(review: Review) -> Iterator[str]:
    if review.changes is None or not review.changes.findings:
        return
    yield changes_report.render_markdown(review.changes, title="Rules that this pull request changes")


def _trust_lines(review: Review) -> Iterator[str]:
    chosen = review.chosen_candidate
    if chosen is None or chosen.decision is None:
        return
    source = (
        f"the pull request's own claim: {chosen.claimed}"
        if chosen.claimed
        else f"made again from the model's bytes, by the code and on the rows of {review.base}"
    )
    yield (
        f"<sub>This is advice. Scores: {escape(source)}. The training data and the training time are as reported by"
        " the pull request's own code.</sub>"
    )
    yield ""


def _repeat_lines(review: Review) -> Iterator[str]:
    chosen = review.chosen_candidate
    if chosen is None or chosen.decision is None:
        return
    make, command = (
        shlex.join([*words, *chosen.overrides]) for words in (["make", "evaluate"], [_COMMAND, "evaluate"])
    )
    if not make.isprintable() or "`" in make:
        return
    yield from ("<details><summary>Reproduce this on your machine</summary>", "", "```sh", make, "```", "")
    if chosen.decision.binding.champion_scores:
        yield from ("or beside the champion that was used here, `champion.tar` in the artifacts of this run:", "")
        yield from ("```sh", f"{command} --bundle champion.tar", "```", "")
    if review.among > 1:
        yield from ("There it is judged as the only candidate, so each bound has its full error rate.", "")
    yield "</details>"
