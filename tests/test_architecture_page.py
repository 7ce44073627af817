"""ARCHITECTURE.md draws the imports between rooms as they are, and names every room.

A room is a folder of gates/, pipelines/ or pipelines/cli/. The files at the top of one of these three are a room too.
The diagram leaves out an arrow that follows from others: A → C where there are A → B and B → C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
SECTIONS = ("gates", "pipelines", "pipelines/cli")
INDENT = "    "
WIDTH = 100

NODE = re.compile(r'\w+\["[^"]+"\]')
ARROW = re.compile(r"(?P<source>\w+) --> (?P<targets>\w+(?: & \w+)*)")
SUBGRAPH = re.compile(r'subgraph (?P<section>\w+)\["[^"]+"\]')

Imports = Mapping[str, frozenset[str]]
"""Room, as a path: the rooms that it imports. Every room is a key."""


def locate_room(module: str) -> str:
    """The room of a module: `lockgate.gates.stats.gaps` is in gates/stats; empty for the façade."""
    path = module.removeprefix("lockgate").replace(".", "/").strip("/")
    section = next((name for name in reversed(SECTIONS) if f"{path}/".startswith(f"{name}/")), "")
    folder = "/".join(path.split("/")[: section.count("/") + 2])
    return folder if (ROOT / folder).is_dir() else section


@cache
def read_imports() -> Imports:
    """What the rooms import; what is imported for types alone is left out."""
    graph = grimp.build_graph("lockgate", exclude_type_checking_imports=True, cache_dir=None)
    targets: dict[str, set[str]] = {room: set() for module in graph.modules if (room := locate_room(module))}
    for source, rooms in targets.items():
        for module in (name for name in graph.modules if locate_room(name) == source):
            rooms |= {locate_room(name) for name in graph.find_modules_directly_imported_by(module)}
    return {source: frozenset(rooms - {source, ""}) for source, rooms in targets.items()}


def reach_rooms(imports: Imports, source: str) -> set[str]:
    """Every room that `source` imports, directly or through others."""
    reached: set[str] = set()
    waiting = list(imports[source])
    while waiting:
        room = waiting.pop()
        if room not in reached:
            reached.add(room)
            waiting += imports[room]
    return reached


def reduce_imports(imports: Imports) -> Imports:
    """The fewest arrows that reach the same rooms: the transitive reduction, unique where there is no circle."""
    reached = {room: reach_rooms(imports, room) for room in imports}
    return {
        source: frozenset(room for room in targets if not any(room in reached[other] for other in targets))
        for source, targets in imports.items()
    }


def name_node(room: str) -> str:
    return room.replace("/", "_") + ("_files" if room in SECTIONS else "")


def label_room(room: str) -> str:
    """`stats/`, or the files at the top of a section: `main.py`."""
    if room not in SECTIONS:
        return f"{room.rpartition('/')[2]}/"
    return ", ".join(sorted(file.name for file in (ROOT / room).glob("*.py") if file.name != "__init__.py"))


def find_section(room: str) -> str:
    return room if room in SECTIONS else room.rpartition("/")[0]


def pack_nodes(nodes: list[str]) -> Iterator[str]:
    """The nodes, several in a line."""
    line = ""
    for node in nodes:
        if line and len(line) + len(node) > WIDTH:
            yield line
            line = ""
        line = f"{line} & {node}" if line else node
    yield from filter(None, [line])


def draw_section(section: str, imports: Imports) -> Iterator[str]:
    """The lines of a subgraph: its rooms by name, then the subgraphs in it."""
    yield f'subgraph {section.replace("/", "_")}["{section}/"]'
    rooms = sorted(room for room in imports if find_section(room) == section)
    nodes = [f'{name_node(room)}["{label_room(room)}"]' for room in rooms]
    yield from (f"{INDENT}{line}" for line in pack_nodes(nodes))
    for inner in (name for name in SECTIONS if name.rpartition("/")[0] == section):
        yield from (f"{INDENT}{line}" for line in draw_section(inner, imports))
    yield "end"


def draw_diagram(imports: Imports) -> str:
    """The whole Mermaid block for these arrows."""
    lines = [line for section in SECTIONS if "/" not in section for line in draw_section(section, imports)]
    for source, targets in sorted(imports.items()):
        if targets:
            lines.append(f"{name_node(source)} --> {' & '.join(sorted(map(name_node, targets)))}")
    return "\n".join(["```mermaid", "flowchart TD", *(f"{INDENT}{line}" for line in lines), "```"])


def read_diagram(page: str) -> set[str]:
    """What the page's one diagram says, a statement for each room and each arrow."""
    blocks = re.findall(r"^```mermaid\n(.*?)\n```$", page, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"ARCHITECTURE.md has {len(blocks)} Mermaid diagrams; expected 1"
    statements: set[str] = set()
    sections: list[str] = []
    for line in filter(None, map(str.strip, blocks[0].splitlines())):
        if all(map(NODE.fullmatch, line.split(" & "))):
            statements |= {f"{node} in {sections[-1] if sections else 'no subgraph'}" for node in line.split(" & ")}
        elif arrow := ARROW.fullmatch(line):
            statements |= {f"{arrow['source']} --> {target}" for target in arrow["targets"].split(" & ")}
        elif subgraph := SUBGRAPH.fullmatch(line):
            sections.append(subgraph["section"])
        elif line == "end" and sections:
            sections.pop()
        elif line != "flowchart TD":
            statements.add(f"a line that is no node and no arrow: {line}")
    return statements


def compare_diagram(page: str, imports: Imports) -> str:
    """What is missing and what is false in the page's diagram, and the block to paste; empty where it is right."""
    block = draw_diagram(imports)
    drawn, real = read_diagram(page), read_diagram(block)
    missing = [f"missing: {statement}" for statement in sorted(real - drawn)]
    false = [f"false:   {statement}" for statement in sorted(drawn - real)]
    if not missing and not false:
        return ""
    return "\n".join(["the diagram in ARCHITECTURE.md is wrong:", *missing, *false, "paste this block:", block])


def test_the_diagram_shows_the_imports_between_rooms() -> None:
    difference = compare_diagram(PAGE.read_text(encoding="utf-8"), reduce_imports(read_imports()))
    if difference:
        pytest.fail(difference, pytrace=False)


def test_rooms_import_each_other_in_no_circle() -> None:
    try:
        TopologicalSorter(read_imports()).prepare()
    except CycleError as err:
        pytest.fail(f"rooms import each other in a circle: {' ← '.join(err.args[1])}", pytrace=False)


def test_the_page_names_every_folder() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [folder for folder in read_imports() if f"`{folder}/`" not in page] == []


IMPORTS: Imports = {
    "gates/policy": frozenset({"gates/kinds"}),
    "gates/kinds": frozenset({"gates/stats"}),
    "gates/stats": frozenset(),
}


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    shortcut = {**IMPORTS, "gates/policy": frozenset({"gates/kinds", "gates/stats"})}
    assert reduce_imports(shortcut) == IMPORTS


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        ("gates_policy --> gates_kinds", "", "missing: gates_policy --> gates_kinds"),
        ("--> gates_kinds", "--> gates_kinds & gates_stats", "false:   gates_policy --> gates_stats"),
        (' & gates_stats["stats/"]', "", 'missing: gates_stats["stats/"] in gates'),
        ("gates_kinds --> gates_stats", "kinds", "false:   a line that is no node and no arrow: kinds"),
        ('gates_stats["stats/"]', 'gates_stats["numbers/"]', 'false:   gates_stats["numbers/"] in gates'),
        ('gates_stats["stats/"]', 'gates_stats["stats/"] & gates_log["log/"]', 'false:   gates_log["log/"] in gates'),
    ],
)
def test_a_wrong_diagram_is_described(line: str, replacement: str, message: str) -> None:
    block = draw_diagram(IMPORTS)
    assert compare_diagram(block, IMPORTS) == ""
    difference = compare_diagram(block.replace(line, replacement), IMPORTS)
    assert message in difference.splitlines()
    assert difference.endswith(block)
