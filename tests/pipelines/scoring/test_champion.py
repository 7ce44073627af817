"""On which periods a champion can be compared: those after the rows that it learned from, however they are named."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.gates.errors import SettingsError
from lockgate.gates.records.state import Champion
from lockgate.pipelines.data.settings import RollingHoldout
from lockgate.pipelines.scoring.champion import Reigning, check_untrained
from lockgate.pipelines.settings.settings import Settings, compose


def rolling(kind: str) -> Settings:
    settings = compose().settings
    holdout = RollingHoldout(kind="rolling", periods=2)
    return settings.model_copy(update={"data": settings.data.model_copy(update={"holdout": holdout, "period": kind})})


def reigning(as_of: str | None) -> Any:
    champion = Champion(sha256="c" * 64, run="EvaluateNewModel/1", as_of=as_of, seq=1)
    return Reigning(champion=champion, model=None, features=None, used=None)  # type: ignore[arg-type] # nothing scores


@pytest.mark.parametrize(
    ("as_of", "kind", "periods", "first"),
    [
        ("2013-10", "month", ("2013-09", "2013-10"), "2013-11"),
        ("2013-10", "week", ("2013-W40", "2013-W41"), "2013-W42"),  # week 40 begins on the last day of September
        ("2013-W40", "month", ("2013-09", "2013-10"), "2013-11"),
        ("2013-Q4", "month", ("2013-08", "2013-09"), "2013-11"),
        ("2013-10", "day", ("2013-09-29", "2013-09-30"), "2013-10-02"),
    ],
)
def test_periods_that_the_champion_learned_from_are_refused(
    as_of: str, kind: str, periods: tuple[str, str], first: str
) -> None:
    with pytest.raises(SettingsError, match=rf"expected as_of={first} or later, so that all 2 {kind}s lie after"):
        check_untrained(reigning(as_of), rolling(kind), periods)


@pytest.mark.parametrize(
    ("as_of", "kind", "periods"),
    [
        ("2013-10", "month", ("2013-10", "2013-11")),
        ("2013-10", "week", ("2013-W41", "2013-W42")),
        ("2013-W40", "month", ("2013-10", "2013-11")),
        (None, "month", ("2013-01", "2013-02")),  # judged on no period
    ],
)
def test_periods_after_its_training_are_not(as_of: str | None, kind: str, periods: tuple[str, str]) -> None:
    check_untrained(reigning(as_of), rolling(kind), periods)
    check_untrained(None, rolling(kind), periods)
