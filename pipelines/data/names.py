"""Whether the names of a table's columns tell the columns apart, for a reader and for whoever excludes one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError, count_noun

if TYPE_CHECKING:
    from lockgate.pipelines.data.settings import DataSettings

_COPY = re.compile(r"(.+)\.[1-9][0-9]*")


def check_names(path: str, names: Sequence[str], data: DataSettings, *, where: str) -> None:
    """Raise DataError for names that are empty, repeated, or equal but for spaces around them.

    So are names that pandas gives to a repeated one: a second column `leak` it calls and writes `leak.1`, and whoever
    excludes `leak` means both. `where` is the place of the names in the file.
    """
    if nameless := [number for number, name in enumerate(names, start=1) if not name.strip()]:
        raise DataError(
            f"{count_noun(len(nameless), 'column')} of {path} {'has' if len(nameless) == 1 else 'have'} no name:"
            f" {_list_numbers(nameless)} of {len(names):,}",
            expected="a name for every column in the header",
            where=where,
            hint="an index of pandas is left out by to_csv(index=False); so is a delimiter at the end of each line",
        )
    by_name: dict[str, list[int]] = {}
    for number, name in enumerate(names, start=1):
        by_name.setdefault(name.strip(), []).append(number)
    if repeated := {name: numbers for name, numbers in by_name.items() if len(numbers) > 1}:
        name, numbers = next(iter(repeated.items()))
        spaces = "" if len({names[number - 1] for number in numbers}) == 1 else ", but for spaces around it"
        raise DataError(
            f"{count_noun(len(numbers), 'column')} of {path} are called {name!r}{spaces}: {_list_numbers(numbers)}"
            + (f"; {count_noun(len(repeated), 'name')} in all are repeated" if len(repeated) > 1 else ""),
            expected="distinct names",
            where=where,
            hint="remove or rename the copies",
        )
    if data.features is not None:
        return
    copies = [
        name
        for name in names
        if (copy := _COPY.fullmatch(name)) and copy[1] in by_name and name not in data.named_columns
    ]
    if copies:
        raise DataError(
            f"{count_noun(len(copies), 'column')} of {path} may be {'a copy' if len(copies) == 1 else 'copies'}:"
            f" {', '.join(map(repr, copies[:5]))}, as a repeated header is renamed",
            expected="each of them named in conf/data",
            where="data.exclude",
            hint="list what is a copy in data.exclude; keep another column by naming it in types",
        )


def _list_numbers(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    return f"column{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:5]))}{more}"
