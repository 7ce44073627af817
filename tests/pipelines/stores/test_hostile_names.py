"""Of every store: names and keys that mean something to a database, a pattern or a path are no more than names."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store
from lockgate.pipelines.stores.ledger import Ledger
from tests.hostile.corpus import EVERY
from tests.pipelines.stores.places import publish, read_all

LOOK_ALIKE = ["order_", "orders_", "order%", "ORDERS"]
HOSTILE = [
    "*",
    "o?ders",
    "..",
    "../orders",
    "/",
    "orders/ledger",
    "orders:current",
    "{orders}",
    "a'; DROP TABLE versions; --",
]
LONG = ["\0", "orders\0", "x" * 10_000, "a\nb", "[o]rders", "\\", '"', "é\u202e", "", ".", "orders#1", "$1"]
ROWS = {"k1": 0.25, "k2": 0.5}
"""What the project `orders` has, which nobody else touches."""


def use_project(store: Store, draft: Any, name: str) -> str:
    """Publish twice, roll back, withdraw and prune under this name; or the line of its refusal."""
    rows = {"k1": 0.75, name.replace("\0", "")[:100] or "k": 1.0}
    try:
        for number in (1, 2):
            publish(store, draft(number, project=name), rows)
        assert read_all(store, name) == rows
        assert store.rollback(name, to=1).version == 1
        assert store.withdraw(name, ["0" * 64]) == (1, 2)
        store.prune(name, keep=2)
        store.discard(name, "Predict/1")
    except StoreError as err:
        return str(err)
    return ""


def check_orders(store: Store) -> None:
    assert read_all(store) == ROWS
    (version,) = store.versions("orders")
    assert (version.version, version.current, version.withdrawn) == (1, True, False)


@pytest.mark.parametrize("names", [["order_"], pytest.param([*LOOK_ALIKE, *HOSTILE, *LONG], marks=pytest.mark.nightly)])
def test_a_project_of_any_name_touches_no_other(store: Store, draft: Any, names: list[str]) -> None:
    publish(store, draft(), ROWS)
    for name in names:
        try:
            refusal = use_project(store, draft, name)
            assert len(refusal.splitlines()) < 2
            assert len(refusal) < 1500
            assert not refusal or name not in LOOK_ALIKE
            check_orders(store)
        except BaseException as err:
            err.add_note(f"with the project {name[:80]!r}")
            raise


def test_what_a_version_says_of_itself_is_text(store: Store, draft: Any) -> None:
    texts = ["a'b\"c\n../.. * ? {x}", "$1 %s :name é\u202e日本" * 100]
    for text in texts:
        publish(store, draft(source=text, window=text, champion_run=text), ROWS)
    drafts = [version.draft for version in reversed(store.versions("orders"))]
    assert [(draft.source, draft.window, draft.champion_run) for draft in drafts] == [(text,) * 3 for text in texts]


def test_a_page_that_is_listed_and_never_there_is_one_line() -> None:
    """As of a project without a name, on a disk."""

    class Ghosts:
        where = "file:///x"

        def last(self, _: str) -> str:
            return "00000007.json"

        def read_document(self, _: str) -> None:
            return None

    with pytest.raises(StoreError, match="a part of the prediction store cannot be read @ file:///x/orders/00000007"):
        Ledger(Ghosts()).page("orders")


@pytest.mark.parametrize("field", ["source", "project", "window", "champion_run"])
def test_what_is_no_text_is_refused_in_one_line(draft: Any, field: str) -> None:
    with pytest.raises(StoreError, match=rf"^the {field} is no text that can be stored: '\\ud800'; expected UTF-8$"):
        draft(**{field: "\ud800"})


def test_keys_of_the_hostile_corpus(store: Store, draft: Any) -> None:
    """All at once, as so many versions would take minutes. A NUL and 100 kB are tried in test_reading.py."""
    keys = [text for text in EVERY if "\0" not in text and len(text) < 1000]
    rows = {key: index / 1000 for index, key in enumerate(dict.fromkeys(keys))}
    publish(store, draft(), rows)
    assert read_all(store) == read_all(store, keys=list(rows)) == rows
    assert read_all(store, keys=["*", "%", "nobody"]) == {"*": rows["*"]}
