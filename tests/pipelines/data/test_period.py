from __future__ import annotations

import pytest

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import next_period


@pytest.mark.parametrize(
    ("as_of", "following"), [("2013-10", "2013-11"), ("2013-12", "2014-01"), ("0001-01", "0001-02")]
)
def test_next_period(as_of, following) -> None:
    assert next_period(as_of) == following


@pytest.mark.parametrize(
    "as_of",
    ["2013-13", "2013-00", "2013-1", "2013", "13-10", "2013-10-01", "0000-01", "2013-10\n", "", "٢٠١٣-10", 2013, None],
)
def test_what_is_no_month(as_of) -> None:
    with pytest.raises(DataError) as caught:
        next_period(as_of)
    assert (
        str(caught.value)
        == f"{' '.join(repr(as_of).split())} is not a month; expected YYYY-MM, such as 2013-10 @ as_of"
    )


def test_the_last_month_has_no_next() -> None:
    with pytest.raises(DataError, match="no month follows 9999-12"):
        next_period("9999-12")
