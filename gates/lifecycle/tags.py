"""The tags that runs should have according to the log: an index for people and Metaflow's UI, never proof. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lockgate.gates.evidence.facts import read_part
from lockgate.gates.log import LogEntry
from lockgate.gates.log.events import JudgedEvent, RevokedEvent

CANDIDATE = "deployment_candidate"
"""On every run that was promoted, unless its model was revoked since."""

CHAMPION = "champion"
"""On the champion's run, and on no other."""

HELD = "held"
"""On a run whose last judgement was HOLD or INCONCLUSIVE. Sealed judgements do not count, as they are not disclosed."""

REVOKED = "revoked"
"""On every judged run whose model may never serve again."""

LOG_TAGS = frozenset({CANDIDATE, CHAMPION, HELD, REVOKED})
"""All tags that follow the log."""

RESERVED_PREFIXES = ("production:", "project:", "project_branch:")
"""How tags begin that Metaflow itself sets, as system tags. A user tag of this form would enter that namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """Tags that a run must have, and tags that it must not have. About other tags nothing is said."""

    run: str
    add: frozenset[str]
    remove: frozenset[str]


def list_tag_changes(head: LogEntry) -> tuple[TagChange, ...]:
    """What the last entry alone implies: for the champion, for the champion before it, and for the entry's own run.

    The champion comes first: a process that dies between two runs then leaves two runs with the champion's tag, rather
    than none.
    """
    state, event = head.state, head.event
    added: dict[str, set[str]] = {}
    removed: dict[str, set[str]] = {}

    def change(run: str | None, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        if run:
            added.setdefault(run, set()).update(add)
            removed.setdefault(run, set()).update(remove)

    champion = state.champion.run if state.champion else None
    change(champion, add=(CANDIDATE, CHAMPION), remove=(REVOKED,))
    for former in state.predecessors[:1]:
        change(
            former.run,
            add=() if former.sha256 in state.revoked else (CANDIDATE,),
            remove=() if former.run == champion else (CHAMPION,),
        )
    change(event.run, remove=() if event.run == champion else (CHAMPION,))
    if isinstance(event, JudgedEvent):
        if head.promotes:
            change(event.run, remove=(HELD,))
        elif _is_disclosed(event):
            change(event.run, add=(HELD,))
    elif isinstance(event, RevokedEvent):
        change(event.run, add=(REVOKED,), remove=(CANDIDATE,))
    return tuple(TagChange(run=run, add=frozenset(added[run]), remove=frozenset(removed[run])) for run in added)


class TagBook:
    """The tags of every run that the log knows, collected from its entries one by one."""

    def __init__(self) -> None:
        self._promoted: set[str] = set()
        self._is_held: dict[str, bool] = {}
        self._models: dict[str, set[str]] = {}  # the SHA-256 of a model → runs that were judged with it, or revoked
        self._head: LogEntry | None = None

    def add(self, entry: LogEntry) -> None:
        """Take in the next entry."""
        self._head = entry
        event, run = entry.event, entry.event.run
        if isinstance(event, RevokedEvent):
            self._models.setdefault(event.model, set()).add(event.of)
        if not isinstance(event, JudgedEvent) or run is None:
            return
        model = read_part(event.decision, "binding").get("model")
        if isinstance(model, str):
            self._models.setdefault(model, set()).add(run)
        if entry.promotes:
            self._promoted.add(run)
            self._is_held[run] = False
        elif _is_disclosed(event):
            self._is_held[run] = True

    def expected_tags(self) -> dict[str, frozenset[str]]:
        """Each run's tags of `LOG_TAGS` as of the last entry added; it must have these, and no others of them."""
        tags: dict[str, set[str]] = {run: set() for runs in self._models.values() for run in runs}

        def tag_runs(runs: Collection[str], tag: str) -> None:
            for run in runs:
                tags.setdefault(run, set()).add(tag)

        tag_runs(self._promoted, CANDIDATE)
        tag_runs([run for run, is_held in self._is_held.items() if is_held], HELD)
        if self._head:
            state = self._head.state
            for run in (run for model in state.revoked for run in self._models.get(model, ())):
                tags[run] = tags.get(run, set()) - {CANDIDATE} | {REVOKED}
            if state.champion and state.champion.run:
                tag_runs([state.champion.run], CHAMPION)
        return {run: frozenset(of_run) for run, of_run in tags.items()}


def find_forged_tags(user: Collection[str]) -> frozenset[str]:
    """The user tags that pretend to be Metaflow's own."""
    return frozenset(tag for tag in user if tag.startswith(RESERVED_PREFIXES))


def _is_disclosed(event: JudgedEvent) -> bool:
    return not event.decision.get("sealed")
