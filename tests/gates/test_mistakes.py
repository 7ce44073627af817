"""Locations of mistakes as the user wrote them, and the lines that report them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lockgate.gates.mistakes import Location, describe_mistake, locate, suggest


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Literal["square"]
    side: float


class Drawing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    shapes: Mapping[Annotated[str, Field(max_length=6)], Annotated[Circle | Square, Field(discriminator="kind")]]
    title: str | tuple[str, ...] = ""
    sizes: Annotated[tuple[int, ...], Field(strict=False)] = ()
    back: Circle | None = None


ON_TOP = ("shapes", "title", "sizes", "back")
OF_CIRCLE = ("kind", "radius")
CIRCLE = {"kind": "circle", "radius": 1.0}


def locations(drawing: Mapping[str, Any]) -> list[Location]:
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate(drawing)
    schema = TypeAdapter(Drawing).core_schema
    return [locate(detail["loc"], schema) for detail in caught.value.errors()]


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"colour": 1}, Location(path=("colour",), keys=ON_TOP)),
        ({"shapes": 3}, Location(path=("shapes",), keys=ON_TOP)),
        ({"shapes": {"a": 3}}, Location(path=("shapes", "a"), tags=("circle", "square"))),
        ({"shapes": {"a": {"kind": "line"}}}, Location(path=("shapes", "a"), tags=("circle", "square"))),
        ({"shapes": {"a": {"kind": "circle"}}}, Location(path=("shapes", "a", "radius"), keys=OF_CIRCLE)),
        # keys that are called as a tag, or as pydantic calls a type
        (
            {"shapes": {"circle": {**CIRCLE, "radius": "x"}}},
            Location(path=("shapes", "circle", "radius"), keys=OF_CIRCLE),
        ),
        ({"shapes": {"a": {**CIRCLE, "circle": 1}}}, Location(path=("shapes", "a", "circle"), keys=OF_CIRCLE)),
        ({"shapes": {"str": {**CIRCLE, "str": 1}}}, Location(path=("shapes", "str", "str"), keys=OF_CIRCLE)),
        ({"shapes": {"too_long": CIRCLE}}, Location(path=("shapes", "too_long"))),
        ({"sizes": [1, 2, "x"]}, Location(path=("sizes", 2))),
        ({"back": {**CIRCLE, "side": 1}}, Location(path=("back", "side"), keys=OF_CIRCLE)),
    ],
)
def test_a_location_is_the_path_that_the_user_wrote(change: dict[str, Any], location: Location) -> None:
    assert locations({"shapes": {"a": CIRCLE}, **change}) == [location]


def test_a_value_that_may_be_of_several_types_has_one_path() -> None:
    mistakes = locations({"shapes": {"a": CIRCLE}, "title": ("x", 3)})
    assert [(location.path, location.union) for location in mistakes] == [(("title",), 1), (("title", 1), 1)]


def test_what_the_schema_does_not_know_stays_in_the_path() -> None:
    schema = TypeAdapter(Drawing).core_schema
    assert locate(("nowhere", "a", 3), schema).path == ("nowhere", "a", 3)
    assert locate(("sizes", "x"), schema).path == ("sizes", "x")


def test_a_mistake_is_described_from_where_its_input_starts() -> None:
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate({"shapes": {"a": {**CIRCLE, "radios": 1}}})
    (detail,) = caught.value.errors(include_url=False)
    location = locate(detail["loc"], TypeAdapter(Drawing).core_schema)
    line = "unknown key 'radios'; expected one of kind, radius @ {}shapes.a.radios (did you mean 'radius'?)"
    assert describe_mistake(detail, location, where="") == line.format("")
    assert describe_mistake(detail, location, where="drawing") == line.format("drawing.")


def test_only_a_close_option_is_suggested() -> None:
    assert suggest("treshold", ["threshold", "slices"]) == " (did you mean 'threshold'?)"
    assert suggest("treshold", ["slices"]) == ""
