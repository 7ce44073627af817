"""A slice of several columns goes by its values; its name is for people, and no two slices share one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from lockgate import Decision, Evidence
from lockgate.gates.errors import PolicyError
from lockgate.gates.evidence.columns import encode_names
from lockgate.gates.metrics.rows import cross_columns
from lockgate.gates.metrics.slice_names import read_slice_name, slice_name
from tests.hostile.corpus import EVERY

N = 2000
ALIKE = {  # values of two columns or more whose texts are the same when they are joined by ", "
    "comma": [("Porto, Norte", "Sul"), ("Porto", "Norte, Sul")],
    "empty": [("", ", a"), (", ", "a")],
    "all of it": [("a, b, ", "c"), ("a, b", ", c"), ("a", "b, , c")],
    "quotes": [('"a', 'b", c'), ('"a, b"', "c")],
    "quoted": [("a, b", "c"), ('"a, b"', "c"), ('"a', 'b", c')],
    "brackets": [("[a, b]", "c"), ("[a", "b], c")],
    "backslash": [('a\\", b', "c"), ('a\\"', "b, c")],
    "newline": [("a,\nb, c", "d"), ("a,\nb", "c, d")],
    "spaces": [("a,", " b, c"), ("a,,  b", "c")],
    "three": [("a, b", "c", "d"), ("a", "b, c", "d"), ("a", "b", "c, d")],
    "none": [("None, nan", "(missing)"), ("None", "nan, (missing)")],
    "lookalikes": [("a， b", "c"), ("a, b", "c"), ("a", "b, c"), ("a‚ b", "c")],
}


def make_slices(values: list[tuple[str, ...]], *, harmed: int = 1) -> Evidence:
    """As many rows in each slice; in slice `harmed` the challenger is worse than the champion, elsewhere better."""
    of_row = np.arange(N) % len(values)
    label = (np.arange(N) // len(values) % 2).astype(float)
    champion = 0.5 + (label - 0.5) * 0.36
    off = np.where(of_row == harmed, 0.05, 0.4) + np.random.default_rng(1).normal(0, 0.01, N)
    columns = [np.array(column, dtype=object)[of_row] for column in zip(*values, strict=True)]
    return Evidence.from_arrays(
        label=label,
        challenger=np.where(label == 1, 0.5 + off, 0.5 - off),
        champion=champion,
        slices={f"c{index}": column for index, column in enumerate(columns)},
    )


def judge_slices(make: Any, evidence: Evidence, **keys: Any) -> Decision:
    check = make.check(
        "slices", by=list(evidence.slices), margin=-0.02, require="no_proven_harm", small_slice="skip", **keys
    )
    return make.judge(check, evidence)


@pytest.mark.parametrize("values", ALIKE.values(), ids=ALIKE)
def test_slices_with_the_same_text_are_judged_apart(make, values: list[tuple[str, ...]]) -> None:
    for harmed in range(len(values)):
        decision = judge_slices(make, make_slices(values, harmed=harmed))
        (gate,) = decision.outcomes
        wrong = [part.name for part in gate.parts if part.verdict == "FAIL"]
        assert (str(decision.verdict), wrong) == ("HOLD", [slice_name(values[harmed])])
        assert sorted(part.name for part in gate.parts) == sorted(map(slice_name, values))
        assert sum(part.rows or 0 for part in gate.parts) == N


@pytest.mark.parametrize("values", ALIKE.values(), ids=ALIKE)
def test_groups_of_a_fairness_gate_are_told_apart(make, values: list[tuple[str, ...]]) -> None:
    evidence = make_slices(values)
    check = make.check("fairness", by=list(evidence.slices), metric="brier", max=0.1, decide="point")
    (gate,) = make.judge(check, evidence).outcomes
    assert (gate.verdict, {part.name for part in gate.parts}) == ("FAIL", set(map(slice_name, values)))
    assert repr(slice_name(values[1])) in gate.message


@pytest.mark.parametrize("columns", [2, 3])
def test_no_two_slices_of_hostile_values_share_a_name(columns: int) -> None:
    sorted_values = sorted({value[:40] for value in EVERY}, key=len)
    few = dict.fromkeys(["", " ", ", ", '"', '", "', "a, b", "\\", *sorted_values[:: 2 ** (2 * columns - 3)]])
    value = list(itertools.product(few, repeat=columns))
    assert len(value) > 10_000
    assert len({slice_name(values) for values in value}) == len(value)
    assert all(values in read_slice_name(slice_name(values), columns) for values in value)


def test_hostile_values_are_groups_of_their_own() -> None:
    values = [value for value in EVERY if len(value) < 1000]
    first, second = np.repeat(values, 8), np.tile(["", " ", ", ", '"', "a", "a, ", "None", "(missing)"], len(values))
    result = cross_columns([encode_names("a", first), encode_names("b", second)])
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert result.count == len(set(pairs)) == len(set(result.names))
    assert [result.keys[code] for code in result.code] == pairs


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (("EWR", "UA"), "EWR, UA"),
        (("Porto, Norte",), "Porto, Norte"),
        (('"x"',), '"x"'),
        (("",), ""),
        (("São Paulo", "日本", "a/b|c"), "São Paulo, 日本, a/b|c"),
        (("a;b", "[c]"), "a;b, [c]"),
        (("(missing)", "None"), "(missing), None"),
        (("Porto, Norte", "Sul"), '"Porto, Norte", Sul'),
        (("a,b", 'c"d'), '"a,b", "c\\"d"'),
        (("", " x"), '"", " x"'),
        (("a\nb", "c"), '"a\\nb", c'),
    ],
)
def test_only_a_value_that_could_mislead_is_quoted(values: tuple[str, ...], name: str) -> None:
    assert slice_name(values) == name


def test_declared_slices_of_several_columns_are_lists_or_texts_that_name_one(make) -> None:
    evidence = make_slices(ALIKE["comma"], harmed=9)
    results = [["Porto, Norte", "Sul"], '"Porto, Norte", Sul', ["Porto", "Norte, Sul"], 'Porto, "Norte, Sul"']
    (gate,) = judge_slices(make, evidence, values=results).outcomes
    assert [(part.name, part.verdict) for part in gate.parts] == [
        ('"Porto, Norte", Sul', "PASS"),
        ('Porto, "Norte, Sul"', "PASS"),
    ]
    (gate,) = judge_slices(make, evidence, values=[["Porto", "Sul"], "Norte, Sul"]).outcomes
    assert [(part.name, part.verdict) for part in gate.parts if part.rows == 0] == [
        ("Norte, Sul", "ERROR"),
        ("Porto, Sul", "ERROR"),
    ]
    spared = {"values": ["Porto, Sul"], "optional_values": [["Porto", "Sul"]]}
    assert judge_slices(make, evidence, **spared).outcomes[0].verdict == "PASS"


@pytest.mark.parametrize(
    ("by", "value", "message"),
    [
        (["a", "b"], "x, y, z", 'slice "x, y, z" is no text of 2 values; expected one value for each of a and b, as'),
        (["a", "b"], "x, y, z", 'of a and b, as in ["…", "…"] @ gate.checks.gate'),
        (["a", "b"], "Porto", 'slice "Porto" is no text of 2 values'),
        (["a", "b", "c"], "Porto, Norte", 'slice "Porto, Norte" is no text of 3 values'),
        (["a", "b"], '"x", y', 'slice "\\"x\\", y" may mean two; expected one of ["\\"x\\"", "y"], ["x", "y"]'),
        (["a", "b"], ["x"], 'slice ["x"] has 1 value; expected one value for each of a and b'),
        (["a", "b"], ["x", "y", "z"], 'slice ["x", "y", "z"] has 3 values; expected one value for each of a and b'),
        ("a", ["x", "y"], 'slice ["x", "y"] has 2 values; expected one value of a'),
        ("a", [], "got []; expected a valid string"),
        ("a", [1], "got 1; expected a valid string"),
    ],
)
@pytest.mark.parametrize("key", ["values", "optional_values"])
def test_what_names_no_slice_or_two_is_refused(make, by: Any, value: Any, message: str, key: str) -> None:
    options = {"values": [value], key: [value]}
    with pytest.raises(PolicyError) as refused:
        make.policy({"gate": make.check("slices", by=by, **options)})
    assert message in str(refused.value)
    assert "@ gate.checks.gate" in str(refused.value)


def test_one_column_takes_every_text_as_it_is(make) -> None:
    names = ['"a", b', "a, b", '"a, b"', "", "[x]"]
    evidence = make_slices([(name,) for name in names], harmed=9)
    (gate,) = judge_slices(make, evidence, values=[*names, ["a, b"]]).outcomes
    assert [part.name for part in gate.parts] == sorted(names)
    assert gate.verdict == "PASS"
