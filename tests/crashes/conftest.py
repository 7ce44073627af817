"""Two models that were trained once, and a place where commands can be killed at any step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forked import started
from tests.project_line import split_project_line

COMMANDS = Path(__file__).with_name("commands.py")
KILLED = -9
"""The code of a command that was killed."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended; code −9: it was killed."""

    code: int
    out: str
    err: str
    steps: list[str]


@dataclass(frozen=True, slots=True)
class Place:
    """One directory, in which one project after the other is laid, and `lockgate` as it runs there."""

    project: Any
    ask: Callable[[dict[str, Any]], Any]

    def lay(self, project: Any, *, judged: bool = True) -> Any:
        """A copy of the project, here; not `judged`: without its log, and without tags."""
        shutil.rmtree(self.project.home)
        project.copy(self.project.home)
        metaflow_folder = self.project.home / ".metaflow"
        if not judged:
            shutil.rmtree(metaflow_folder / "lockgate", ignore_errors=True)  # on S3 it is elsewhere
            for run in self.project.runs():
                file = metaflow_folder / run / "_meta" / "_self.json"
                file.write_text(json.dumps({**json.loads(file.read_text()), "tags": []}))
        return self.project

    def run(self, *words: str, die_at: int | None = None) -> CommandResult:
        """`lockgate WORDS`, which kills itself at the step of this number, from 0."""
        answer = self.ask({"words": words, "die_at": die_at})
        return CommandResult(
            answer["code"], answer["out"], split_project_line(answer["err"])[1], steps=answer["notes"].split()
        )


@contextmanager
def open_place(project: Any, **env: str) -> Iterator[Place]:
    with started(COMMANDS, cwd="/", env=project.env(**env)) as ask:
        yield Place(project, ask)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path, project_at: Any) -> Iterator[Place]:
    with open_place(project_at(home=tmp_path_factory.mktemp("place"), conf=orders_conf)) as opened:
        yield opened


@pytest.fixture
def place_on_s3(tmp_path: Path, orders_conf: Path, project_at: Any, s3: Any) -> Iterator[Place]:
    """The same with an object store on S3. Metaflow's metadata stay in the directory."""
    home = tmp_path / "place"
    home.mkdir()
    with open_place(project_at(home=home, conf=orders_conf), **s3.env) as opened:
        yield opened


@pytest.fixture(scope="session")
def trained_pair(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path, project_at: Any) -> Any:
    """A project whose first run reigns; its second was scored beside it, and not judged. For copying only."""
    pair = project_at(home=tmp_path_factory.mktemp("pair"), conf=orders_conf)
    for words in (("evaluate", "model.trees=8"), ("evaluate", "--advisory", "model.trees=40")):
        process = pair.run(*words)
        assert process.returncode == 0, process.stderr
    return pair
