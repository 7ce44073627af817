"""Numbers as sentences and tables write them: with the digits that the interval around them leaves meaning to."""

from __future__ import annotations

import math
from collections.abc import Sequence

Bounds = tuple[float, float]

_MAX_DECIMALS = 9


def format_number(value: float | None) -> str:
    """A number without an interval: four significant digits, and whole from 10,000 on."""
    if value is None:
        return "unknown"
    value += 0.0  # −0 is 0
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def format_interval(bounds: Bounds | None) -> str:
    """An interval for a sentence."""
    return "no interval" if bounds is None else " to ".join(format_fitting(bounds, bounds))


def format_estimate(value: float | None, bounds: Bounds | None) -> str:
    """A number with its interval: `0.0145 (-0.0024 to 0.0311)`."""
    number = "unknown" if value is None else format_fitting([value], bounds)[0]
    return f"{number} ({format_interval(bounds)})"


def format_fitting(values: Sequence[float], bounds: Bounds | None, *, sign: str = "") -> list[str]:
    """Numbers with so many decimals that the width of the interval has three digits; `unknown` for infinite ones.

    sign: `+` to write the sign of numbers above 0, too.
    """
    decimals = None if bounds is None else _fit_decimals(bounds[1] - bounds[0])
    return ["unknown" if math.isinf(value) else _format_with(value, decimals, sign) for value in values]


def _format_with(value: float, decimals: int | None, sign: str) -> str:
    if decimals is None:
        return (sign if value > 0 else "") + format_number(value)
    text = f"{value:{sign},.{decimals}f}"
    return text if any(digit in "123456789" for digit in text) else text.lstrip("+-")  # nothing is −0.00 or +0.00


def _fit_decimals(width: float) -> int | None:
    """None for an interval without a width, or with an infinite one."""
    if not math.isfinite(width) or width <= 0:
        return None
    return min(max(0, 2 - math.floor(math.log10(width))), _MAX_DECIMALS)


def format_times(times: float) -> str:
    """How many times as much, as in `about 2.4 times`: two significant digits, as such a number is an estimate."""
    if times >= 1000:
        return "more than 1,000 times"
    return f"about {times:.1f} times" if times < 9.95 else f"about {float(f'{times:.2g}'):.0f} times"
