"""Which tags the log says that runs have: an index for people and for Metaflow's UI, never proof. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lockgate.gates.evidence.facts import read_part
from lockgate.gates.log import LogEntry
from lockgate.gates.log.events import JudgedEvent, RevokedEvent

CANDIDATE = "deployment_candidate"
"""Of every run that was promoted, and whose model was not revoked since."""

CHAMPION = "champion"
"""Of the run that reigns, and of no other."""

HELD = "held"
"""Of a run that was judged last with HOLD or INCONCLUSIVE. Sealed judgements count as none: they are told to nobody."""

REVOKED = "revoked"
"""Of every judged run whose model may never serve again."""

LOG_TAGS = frozenset({CANDIDATE, CHAMPION, HELD, REVOKED})
"""The tags that follow the log."""

RESERVED_PREFIXES = ("production:", "project:", "project_branch:")
"""Beginnings of tags that Metaflow itself sets, as system tags; whoever adds one by hand enters that namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """Tags that a run must have, and tags that it must not; of the others nothing is known."""

    run: str
    add: frozenset[str]
    remove: frozenset[str]


def list_tag_changes(head: LogEntry) -> tuple[TagChange, ...]:
    """What the last entry alone says: of the champion, of the one before it, and of the run that it is about.

    The champion comes first, so that a process that dies between two runs leaves two with the champion's tag rather
    than none.
    """
    state, event = head.state, head.event
    put: dict[str, set[str]] = {}
    drop: dict[str, set[str]] = {}

    def say(run: str | None, *, has: Collection[str] = (), lacks: Collection[str] = ()) -> None:
        if run:
            put.setdefault(run, set()).update(has)
            drop.setdefault(run, set()).update(lacks)

    champion = state.champion.run if state.champion else None
    say(champion, has=(CANDIDATE, CHAMPION), lacks=(REVOKED,))
    for former in state.predecessors[:1]:
        say(
            former.run,
            has=() if former.sha256 in state.revoked else (CANDIDATE,),
            lacks=() if former.run == champion else (CHAMPION,),
        )
    about = event.run
    say(about, lacks=() if about == champion else (CHAMPION,))
    if isinstance(event, JudgedEvent):
        if head.promotes:
            say(about, lacks=(HELD,))
        elif _is_disclosed(event):
            say(about, has=(HELD,))
    elif isinstance(event, RevokedEvent):
        say(about, has=(REVOKED,), lacks=(CANDIDATE,))
    return tuple(TagChange(run=run, add=frozenset(put[run]), remove=frozenset(drop[run])) for run in put)


class TagBook:
    """The tags of every run that the log knows, from its entries one by one."""

    def __init__(self) -> None:
        self._promoted: set[str] = set()
        self._held: dict[str, bool] = {}
        self._models: dict[str, set[str]] = {}  # the SHA-256 of a model → runs that were judged with it, or revoked
        self._head: LogEntry | None = None

    def see(self, entry: LogEntry) -> None:
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
            self._held[run] = False
        elif _is_disclosed(event):
            self._held[run] = True

    def expected_tags(self) -> dict[str, frozenset[str]]:
        """Run → those of `LOG_TAGS` that it must have, as of the last entry seen; it may have no other of them."""
        tags: dict[str, set[str]] = {run: set() for runs in self._models.values() for run in runs}

        def say(runs: Collection[str], tag: str) -> None:
            for run in runs:
                tags.setdefault(run, set()).add(tag)

        say(self._promoted, CANDIDATE)
        say([run for run, held in self._held.items() if held], HELD)
        if self._head:
            state = self._head.state
            for run in (run for model in state.revoked for run in self._models.get(model, ())):
                tags[run] = tags.get(run, set()) - {CANDIDATE} | {REVOKED}
            if state.champion and state.champion.run:
                say([state.champion.run], CHAMPION)
        return {run: frozenset(held) for run, held in tags.items()}


def collect_expected_tags(entries: Iterable[LogEntry]) -> dict[str, frozenset[str]]:
    """What `TagBook` says after the entries of a whole log."""
    book = TagBook()
    for entry in entries:
        book.see(entry)
    return book.expected_tags()


def find_forged_tags(user: Collection[str]) -> frozenset[str]:
    """Those of a run's user tags that pretend to be Metaflow's own."""
    return frozenset(tag for tag in user if tag.startswith(RESERVED_PREFIXES))


def _is_disclosed(event: JudgedEvent) -> bool:
    return not event.decision.get("sealed")
