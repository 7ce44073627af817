"""Models that are nearly right: documents of xgboost and archives of skops, changed where their libraries look.

A mutant is made of an honest model and a seed. Half of the changes keep what is checked before a library sees the
bytes, so that the library does see them.
"""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lockgate.pipelines.models import ubj
from tests.pipelines.models.archives import read_members, write_members
from tests.pipelines.models.ubj_documents import write_value

NUMBERS = (-(2**31), -2, -1, 0, 1, 2, 3, 7, 255, 256, 65_536, 2**24, 2**30, 2**31 - 1)
FLOATS = (0.0, -0.0, 1e-45, 1e30, -1e38, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "0", "1", "2", "-1", "3", "99999", "4294967295", "1e9", "nan", "x", "[]", "[5E-1]", "[1,2,3]")


def mutate_ubj(blob: bytes, seed: int) -> tuple[str, bytes]:
    """What was changed, and the bytes."""
    rng = random.Random(f"ubj {seed}")
    name = rng.choice(list(_UBJ_CHANGES))
    if name == "flip":
        return name, _flip_bits(blob, rng)
    document = ubj.parse_object(blob)
    for _ in range(rng.choice((1, 1, 2))):
        _UBJ_CHANGES[name](document, rng)
    return name, write_value(document)


def mutate_skops(blob: bytes, seed: int) -> tuple[str, bytes]:
    """What was changed, and the bytes."""
    rng = random.Random(f"skops {seed}")
    name = rng.choice(list(_SKOPS_CHANGES))
    if name == "flip":
        return name, _flip_bits(blob, rng)
    members = read_members(blob)
    schema = json.loads(members["schema.json"])
    for _ in range(rng.choice((1, 1, 3))):
        _SKOPS_CHANGES[name](schema, members, rng)
    return name, write_members({**members, "schema.json": json.dumps(schema).encode()})


def _flip_bits(blob: bytes, rng: random.Random) -> bytes:
    changed = bytearray(blob)
    for _ in range(rng.choice((1, 1, 4, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _pick_tree(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    tree: dict[str, Any] = rng.choice(document["learner"]["gradient_booster"]["model"]["trees"])
    return tree


def _set_entries(array: np.ndarray, rng: random.Random) -> np.ndarray:
    values = FLOATS if array.dtype.kind == "f" else (*NUMBERS, len(array) - 1, len(array))
    changed = array.copy()
    for _ in range(rng.choice((1, 1, 3))):
        if len(changed):
            changed[rng.randrange(len(changed))] = np.array(rng.choice(values)).astype(array.dtype)
    return changed


def _change_array(kinds: str) -> Callable[[dict[str, Any], random.Random], None]:
    def change(document: dict[str, Any], rng: random.Random) -> None:
        tree = _pick_tree(document, rng)
        name = rng.choice(
            [name for name, value in tree.items() if isinstance(value, np.ndarray) and value.dtype.kind in kinds]
        )
        tree[name] = _set_entries(tree[name], rng)

    return change


def _resize_array(document: dict[str, Any], rng: random.Random) -> None:
    tree = _pick_tree(document, rng)
    name = rng.choice([name for name, value in tree.items() if isinstance(value, np.ndarray)])
    tree[name] = rng.choice((tree[name][: len(tree[name]) // 2], np.tile(tree[name], 3), tree[name][:0]))


def _retype_array(document: dict[str, Any], rng: random.Random) -> None:
    tree = _pick_tree(document, rng)
    name = rng.choice([name for name, value in tree.items() if isinstance(value, np.ndarray)])
    tree[name] = np.nan_to_num(tree[name]).astype(rng.choice((">i8", ">i4", ">f4", ">f8", "u1")))


def _change_text(document: dict[str, Any], rng: random.Random) -> None:
    """A number that is stored as text, or a name."""
    places = [(place, name) for place, name, value in _list_leaves(document) if isinstance(value, str)]
    place, name = rng.choice([entry for entry in places if entry[1] != "lockgate"])
    place[name] = rng.choice((*TEXTS, "gblinear", "dart", "multi:softprob", "survival:aft", "rank:ndcg"))


def _change_score(document: dict[str, Any], rng: random.Random) -> None:
    score = rng.choice(("[-1E0]", "[0E0]", "[5E-1]", "[1E38]", "2.5E-1", "[1E999]", "[9.9999E-1]"))
    document["learner"]["learner_model_param"]["base_score"] = score


def _change_list(document: dict[str, Any], rng: random.Random) -> None:
    places = [(place, name) for place, name, value in _list_leaves(document) if isinstance(value, int)]
    place, name = rng.choice(places)
    place[name] = rng.choice(NUMBERS)


def _change_layout(document: dict[str, Any], rng: random.Random) -> None:
    attributes = document["learner"]["attributes"]
    layout = json.loads(attributes["lockgate"])
    match rng.randrange(6):
        case 0:
            rng.shuffle(layout["columns"])
        case 1:
            layout["columns"].append(rng.choice(("more", layout["columns"][0])))
        case 2:
            layout["columns"].pop()
        case 3:
            layout["vocabularies"].popitem()
        case 4:
            layout["vocabularies"][layout["columns"][0]] = [str(n) for n in range(rng.choice((0, 1, 5000)))]
        case 5:
            layout["columns"][0] = rng.choice(("", "\0", "ü" * 1000, 7, None))
    attributes["lockgate"] = json.dumps(layout)


def _rename_values(document: dict[str, Any], rng: random.Random) -> None:
    """Other values in the vocabularies, as many as before."""
    attributes = document["learner"]["attributes"]
    layout = json.loads(attributes["lockgate"])
    for values in layout["vocabularies"].values():
        values[rng.randrange(len(values))] = rng.choice(("\0", "", "x" * 10_000, "\ud800", "nan"))
    attributes["lockgate"] = json.dumps(layout)


def _drop_trees(document: dict[str, Any], rng: random.Random) -> None:
    """Fewer trees, in all that counts them."""
    model = document["learner"]["gradient_booster"]["model"]
    count = rng.randrange(len(model["trees"]) + 1)
    _set_trees(model, model["trees"][:count])


def _repeat_trees(document: dict[str, Any], rng: random.Random) -> None:
    model = document["learner"]["gradient_booster"]["model"]
    _set_trees(model, [dict(tree) for tree in model["trees"] * rng.choice((2, 40))])


def _swap_children(document: dict[str, Any], rng: random.Random) -> None:
    """Left becomes right in some nodes, which is another model and a sound one."""
    tree = _pick_tree(document, rng)
    left, right = tree["left_children"], tree["right_children"]
    turned = np.array([rng.random() < 0.5 for _ in left])
    tree["left_children"], tree["right_children"] = np.where(turned, right, left), np.where(turned, left, right)
    for name in ("left_children", "right_children"):
        tree[name] = tree[name].astype(">i4")


def _grow_chain(document: dict[str, Any], rng: random.Random) -> None:
    """A tree that is one long path."""
    tree, length = _pick_tree(document, rng), rng.choice((50, 5000, 200_000))
    nodes = 2 * length + 1
    places = np.arange(nodes)
    inner = (places % 2 == 0) & (places < nodes - 1)
    for name, dtype in (
        ("base_weights", ">f4"),
        ("loss_changes", ">f4"),
        ("sum_hessian", ">f4"),
        ("default_left", "u1"),
    ):
        tree[name] = np.zeros(nodes, dtype=dtype)
    tree["left_children"] = np.where(inner, places + 1, -1).astype(">i4")
    tree["right_children"] = np.where(inner, places + 2, -1).astype(">i4")
    parents = np.where(places % 2 == 1, places - 1, places - 2)
    parents[0] = 2**31 - 1
    tree["parents"] = parents.astype(">i4")
    tree["split_conditions"] = np.full(nodes, -1e30, dtype=">f4")
    tree["split_indices"], tree["split_type"] = np.ones(nodes, dtype=">i4"), np.zeros(nodes, dtype="u1")
    for name in ("categories", "categories_nodes"):
        tree[name] = np.zeros(0, dtype=">i4")
    for name in ("categories_segments", "categories_sizes"):
        tree[name] = np.zeros(0, dtype=">i8")
    tree["tree_param"] = {**tree["tree_param"], "num_nodes": str(nodes), "num_deleted": "0"}


def _set_trees(model: dict[str, Any], trees: list[dict[str, Any]]) -> None:
    model["trees"] = [{**tree, "id": place} for place, tree in enumerate(trees)]
    model["gbtree_model_param"]["num_trees"] = str(len(trees))
    model["tree_info"] = [0] * len(trees)
    model["iteration_indptr"] = list(range(len(trees) + 1))


_UBJ_CHANGES: dict[str, Callable[[dict[str, Any], random.Random], None]] = {
    "flip": lambda _document, _rng: None,
    "integers": _change_array("iu"),
    "floats": _change_array("f"),
    "floats of a tree": lambda document, rng: [_change_array("f")(document, rng) for _ in range(20)] and None,
    "size": _resize_array,
    "type": _retype_array,
    "text": _change_text,
    "base score": _change_score,
    "list": _change_list,
    "layout": _change_layout,
    "values": _rename_values,
    "fewer trees": _drop_trees,
    "more trees": _repeat_trees,
    "children": _swap_children,
    "chain": _grow_chain,
}


def _list_leaves(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Of every value in a document that holds no others: what holds it, under which name, and the value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in list(pairs):
        if isinstance(part, dict | list):
            yield from _list_leaves(part)
        else:
            yield value, name, part


def _list_objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "__class__" in schema:
            yield schema
        for part in schema.values():
            yield from _list_objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _list_objects(part)


def _change_json(schema: Any, _members: dict[str, bytes], rng: random.Random) -> None:
    values = [node for node in _list_objects(schema) if node["__loader__"] == "JsonNode"]
    rng.choice(values)["content"] = rng.choice(
        (
            "null",
            "0",
            "-1",
            "1",
            "200",
            "1e308",
            "NaN",
            '"x"',
            "true",
            "[]",
            "[[[]]]",
            "2147483648",
            "{",
            "18446744073709551616",
        )
    )


def _change_class(schema: Any, _members: dict[str, bytes], rng: random.Random) -> None:
    nodes = list(_list_objects(schema))
    node, other = rng.choice(nodes), rng.choice(nodes)
    for name in rng.choice((("__class__", "__module__"), ("__loader__",), ("__class__", "__module__", "__loader__"))):
        node[name] = other[name]


def _swap_nodes(schema: Any, _members: dict[str, bytes], rng: random.Random) -> None:
    nodes = list(_list_objects(schema))
    node, other = rng.choice(nodes), copy.deepcopy(rng.choice(nodes))
    node.clear()
    node.update(other)


def _drop_key(schema: Any, _members: dict[str, bytes], rng: random.Random) -> None:
    node = rng.choice(list(_list_objects(schema)))
    node.pop(rng.choice(list(node)))


def _change_member(_schema: Any, members: dict[str, bytes], rng: random.Random) -> None:
    """Other numbers in an array: also in the table of a tree's nodes, field by field."""
    name = rng.choice([name for name in members if name.endswith(".npy")])
    array = np.load(io.BytesIO(members[name]), allow_pickle=False).copy()
    if not array.size:
        return
    table = array[rng.choice(array.dtype.names)] if array.dtype.names else array
    flat = table.reshape(-1)
    for _ in range(rng.choice((1, 3, 20))):
        values = FLOATS if flat.dtype.kind == "f" else NUMBERS
        if flat.dtype.kind in "fiu":
            flat[rng.randrange(flat.size)] = np.array(rng.choice(values)).astype(flat.dtype)
    members[name] = _pack(array)


def _change_numbers(_schema: Any, members: dict[str, bytes], rng: random.Random) -> None:
    """Slightly other floats everywhere, which is another model and a sound one."""
    for name in [name for name in members if name.endswith(".npy")]:
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
        if array.dtype.kind == "f":
            members[name] = _pack(array * np.array(rng.uniform(0.5, 2), dtype=array.dtype))


def _reshape_member(_schema: Any, members: dict[str, bytes], rng: random.Random) -> None:
    name = rng.choice([name for name in members if name.endswith(".npy")])
    array = np.load(io.BytesIO(members[name]), allow_pickle=False)
    flat = array.reshape(-1)
    members[name] = _pack(rng.choice((flat[: len(flat) // 2], np.tile(flat, 5), flat[:0], flat.reshape(1, -1))))


def _promise_more(_schema: Any, members: dict[str, bytes], rng: random.Random) -> None:
    """An array's header asks for more than follows."""
    name = rng.choice([name for name in members if name.endswith(".npy")])
    old = members[name]
    size = rng.choice((10**3, 10**9, 10**15))
    header = old[10:].split(b"\n")[0].decode("latin-1")
    shape = header[header.index("'shape':") : header.rindex("}")]
    changed = header.replace(shape, f"'shape': ({size},), ")[: len(header)].ljust(len(header))
    members[name] = old[:10] + changed.encode("latin-1") + old[10 + len(header) :]


def _ask_for_jobs(schema: Any, _members: dict[str, bytes], rng: random.Random) -> None:
    for node in _list_objects(schema):
        content = node.get("content")
        if isinstance(content, dict) and "n_jobs" in content:
            content["n_jobs"]["content"] = rng.choice(("200", "-1", "2", "1"))


def _pack(array: np.ndarray) -> bytes:
    with io.BytesIO() as buffer:
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue()


_SKOPS_CHANGES: dict[str, Callable[[Any, dict[str, bytes], random.Random], None]] = {
    "flip": lambda _schema, _members, _rng: None,
    "json": _change_json,
    "class": _change_class,
    "nodes": _swap_nodes,
    "key": _drop_key,
    "array": _change_member,
    "arrays": _change_numbers,
    "shape": _reshape_member,
    "header": _promise_more,
    "jobs": _ask_for_jobs,
}
