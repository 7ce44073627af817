"""Calendar months, written as 2013-10."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gates.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


def month(period: str, *, where: str) -> np.datetime64:
    """The month as datetime64[M]; years 0001 to 9999. `where` names what the user wrote it in.

    Raises:
        DataError: anything but YYYY-MM, such as 2013-13, 2013-1 or a number.
    """
    import numpy as np

    if not isinstance(period, str) or not _PERIOD.fullmatch(period) or period.startswith("0000"):
        raise DataError(f"{period!r} is no month", expected="YYYY-MM, such as 2013-10", where=where)
    return np.datetime64(period, "M")


def next_period(as_of: str) -> str:
    """The month after `as_of`: 2013-12 gives 2014-01. Raises DataError for what is no month, and for 9999-12."""
    following = str(month(as_of, where="as_of") + 1)
    if len(following) != 7:
        raise DataError(f"no month follows {as_of}", expected="a month before 9999-12", where="as_of")
    return following
