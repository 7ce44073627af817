"""What the import contracts in pyproject.toml cannot see: calls, handlers, sizes and what a module loads.

Every rule is a function from a parsed file to the places that break it, so that each can be shown to find something.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400
HEAVY = {"hydra", "metaflow", "omegaconf", "pandas", "pyarrow", "scipy", "sklearn", "skops", "xgboost"}
EDGES = ("gates/runs", "gates/log", "gates/lifecycle", "gates/verification")  # these may meet the world
FILE_FORMATS = {"gates/documents.py", "gates/evidence/evidence.py"}  # their read() and write() are for anybody's file
BROAD_EXCEPT = {
    "gates/judge/engine.py",  # a gate that raises is an ERROR
    "gates/foreign.py",  # what an object of the caller's raises while it is converted becomes a LockgateError
    "pipelines/cli/main.py",  # an uncaught exception exits with 2, as 1 would read as HOLD
}

HIDDEN = (
    "os.environ",
    "os.getenv",
    "os.urandom",
    "os.getpid",
    "time.",
    "random.",
    "secrets.",
    "uuid.uuid",
    "socket.",
    "subprocess.",
    "urllib.",
    "http.",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "datetime.date.today",
)
FILE_MODULES = ("os.", "shutil.", "tempfile.", "sqlite3.", "sys.std", "glob.")
FILE_CALLS = {"open", "io.open", "input", "print"}
FILE_METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "iterdir"}
EVALUATORS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "marshal.loads",
    "shelve.open",
    "pandas.read_pickle",
    "yaml.load",
    "yaml.unsafe_load",
    "hydra.main",
    "hydra.utils.instantiate",
    "hydra.utils.call",
    "hydra.utils.get_class",
    "hydra.utils.get_method",
}


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> what it stands for, as in `np` -> `numpy`, `now` -> `datetime.datetime.now`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                names[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """`np.random.rand` -> "numpy.random.rand"; empty where a name does not start it."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every attribute or name that is read, resolved through the imports, with its line."""
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield node.lineno, dotted(node, names)


def bound_names(tree: ast.Module) -> set[str]:
    """Names of variables and arguments, which may be called `time` without being the module."""
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return (stored | arguments) - set(imported_names(tree))


def hidden_inputs(tree: ast.Module) -> list[int]:
    """Reads of the clock, the environment, randomness, the network or another process."""
    bound, names = bound_names(tree), imported_names(tree)
    actual = {line for line, name in uses(tree) if name.startswith(HIDDEN) and name.split(".")[0] not in bound}
    for node in ast.walk(tree):
        name = dotted(node.func, names) if isinstance(node, ast.Call) else ""
        # np.random.default_rng(seed) and the classes are functions of their arguments; the rest shares one state
        if name.startswith("numpy.random."):
            function = name.split(".")[-1]
            if not (node.args or node.keywords) or (function.islower() and function != "default_rng"):
                actual.add(node.lineno)
    return sorted(actual)


def file_access(tree: ast.Module) -> list[int]:
    """Anything that opens, writes or lists files, or the terminal."""
    bound, names = bound_names(tree), imported_names(tree)
    actual = {line for line, name in uses(tree) if name.startswith(FILE_MODULES) and name.split(".")[0] not in bound}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if method in FILE_METHODS or dotted(node.func, names) in FILE_CALLS:
                actual.add(node.lineno)
    return sorted(actual)


def evaluators(tree: ast.Module) -> list[int]:
    """Calls that run text or bytes as code."""
    names = imported_names(tree)
    calls = [(node, dotted(node.func, names)) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    actual = {node.lineno for node, name in calls if name in EVALUATORS | LOADERS or name.endswith(".instantiate")}
    actual |= {line for line, name in uses(tree) if name in LOADERS}  # also as a decorator or an argument
    return sorted(actual)


def broad_handlers(tree: ast.Module) -> list[int]:
    """Handlers of everything, unless they end by raising it again."""
    names = {"Exception", "BaseException"}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise":
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(item is None or (isinstance(item, ast.Name) and item.id in names) for item in caught):
                lines.append(node.lineno)
    return lines


def heavy_imports(tree: ast.Module) -> list[int]:
    """Imports of slow modules that run when the module is imported; those in functions and for types do not."""
    lines: list[int] = []
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and dotted(node.test, {}).endswith("TYPE_CHECKING"):
            waiting += node.orelse
            continue
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module or ""]
        if HEAVY & {module.split(".")[0] for module in modules}:
            lines.append(node.lineno)  # type: ignore[attr-defined]
        waiting += ast.iter_child_nodes(node)
    return sorted(lines)


def edge_imports(tree: ast.Module) -> list[int]:
    """Imports of the edges of gates/."""
    edges = tuple(f"lockgate.{edge.replace('/', '.')}" for edge in EDGES)
    results = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        results += [node.lineno for module in modules if f"{module}.".startswith(tuple(f"{edge}." for edge in edges))]
    return results


def broken(rule: Callable[[ast.Module], list[int]], files: list[Path]) -> list[str]:
    return [f"{file.relative_to(ROOT)}:{line}" for file in files for line in rule(parse(file))]


PURE = [file for file in sources("gates") if not str(file.relative_to(ROOT)).startswith(EDGES)]
CODE = sources("gates", "pipelines", "bench", "data")


def test_judging_has_no_hidden_input() -> None:
    assert broken(hidden_inputs, PURE) == []


def test_judging_touches_no_file() -> None:
    assert broken(file_access, [file for file in PURE if str(file.relative_to(ROOT)) not in FILE_FORMATS]) == []


def test_the_edges_are_for_those_who_call_the_gates() -> None:
    assert broken(edge_imports, PURE) == []


def test_no_data_becomes_code() -> None:
    assert broken(evaluators, CODE) == []


def test_the_broad_handlers_are_the_three_that_are_meant() -> None:
    assert broken(broad_handlers, [file for file in CODE if str(file.relative_to(ROOT)) not in BROAD_EXCEPT]) == []


def test_the_command_line_imports_nothing_slow() -> None:
    assert broken(heavy_imports, sources("pipelines/cli")) == []


def test_the_command_line_loads_nothing_slow() -> None:
    """The same, through everything that it imports in turn."""
    modules = [
        ".".join(["lockgate", *file.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
        for file in sources("pipelines/cli")
    ]
    code = f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; print(*sys.modules)"
    completed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert HEAVY & set(completed.stdout.split()) == set()


def test_files_stay_short() -> None:
    files = [*CODE, *sources("tests")]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_configuration_names_code() -> None:
    files = [file for folder in ("conf", ".github") for file in (ROOT / folder).rglob("*.y*ml")]
    assert [str(file) for file in files if "_target_" in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (file_access, "open('x')"),
        (hidden_inputs, "import time; time.time()"),
        (hidden_inputs, "from time import time as t; t()"),
        (hidden_inputs, "from datetime import datetime; datetime.now()"),
        (hidden_inputs, "import datetime as d; d.datetime.now(d.UTC)"),
        (hidden_inputs, "import os; os.environ['X']"),
        (hidden_inputs, "from os import environ; environ.get('X')"),
        (hidden_inputs, "import random; random.random()"),
        (hidden_inputs, "import numpy as np; np.random.rand(3)"),
        (hidden_inputs, "import numpy as np; np.random.default_rng()"),
        (hidden_inputs, "from numpy.random import default_rng; default_rng()"),
        (file_access, "from pathlib import Path; Path('x').read_text()"),
        (file_access, "print('x')"),
        (hidden_inputs, "import os; os.getenv('X')"),
        (file_access, "import os; os.replace('a', 'b')"),
        (evaluators, "eval('1')"),
        (evaluators, "import pickle; pickle.loads(b'')"),
        (evaluators, "from pickle import loads as read; read(b'')"),
        (evaluators, "import hydra\n@hydra.main\ndef f(): pass"),
        (evaluators, "import hydra\n@hydra.main()\ndef f(): pass"),
        (evaluators, "from hydra.utils import instantiate; instantiate({})"),
        (broad_handlers, "try: pass\nexcept Exception: pass"),
        (broad_handlers, "try: pass\nexcept (ValueError, BaseException): pass"),
        (broad_handlers, "try: pass\nexcept: pass"),
        (heavy_imports, "import pandas as pd"),
        (heavy_imports, "try:\n from sklearn.base import clone\nexcept ImportError: pass"),
        (edge_imports, "from lockgate.gates import runs"),
        (edge_imports, "from lockgate.gates.log.store import Store"),
    ],
)
def test_each_rule_finds_what_it_is_for(rule: Callable[[ast.Module], list[int]], code: str) -> None:
    assert rule(ast.parse(code))


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (hidden_inputs, "import numpy as np; np.random.default_rng(seed)"),
        (hidden_inputs, "def f(rng: np.random.Generator, time): return time.min()"),
        (hidden_inputs, "from datetime import datetime; datetime.fromisoformat('2013-10-01')"),
        (hidden_inputs, "import os; os.replace('a', 'b'); open('x')"),
        (evaluators, "import re; re.compile('x')"),
        (broad_handlers, "try: pass\nexcept ValueError: pass"),
        (broad_handlers, "try: pass\nexcept BaseException:\n undo()\n raise"),
        (
            heavy_imports,
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import pandas\ndef f():\n import xgboost",
        ),
        (edge_imports, "from lockgate.gates.logic import x"),
    ],
)
def test_each_rule_leaves_the_rest_alone(rule: Callable[[ast.Module], list[int]], code: str) -> None:
    assert rule(ast.parse(code)) == []
