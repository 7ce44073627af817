"""How old something is when it is judged."""

from __future__ import annotations

from datetime import datetime, timedelta

from lockgate.gates.durations import shift_time
from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case

DAY = timedelta(days=1)


def measure_age(then: datetime, case: Case, *, subject: str, ahead: timedelta) -> timedelta:
    """Time since `then`, never negative.

    Args:
        subject: what is that old, for the messages.
        ahead: how far `then` may lie in the future. Clocks differ, and a time without a zone may be hours off.

    Raises:
        UnjudgeableError: the case has no `now`, or `then` lies further ahead.
    """
    if case.now is None:
        raise UnjudgeableError(
            f"the age of {subject} needs the time of the judgement",
            expected="`now`",
            hint="the command line gives it; judge(…, now=datetime.now(UTC))",
        )
    if then > shift_time(case.now, ahead):
        raise UnjudgeableError(
            f"{subject} is of {then.isoformat(timespec='minutes')}, which is still to come",
            expected=f"nothing later than {case.now.isoformat(timespec='minutes')}",
        )
    return max(case.now - then, timedelta())


def format_duration(time: timedelta) -> str:
    """A length of time for a sentence: in hours below three days, in days above."""
    hours = time.total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} d"
