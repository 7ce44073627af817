"""Every verb and target is in docs/commands.md, and whoever calls a verb calls one that there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from lockgate.pipelines.cli.main import app

ROOT = Path(__file__).parents[3]
COMMANDS = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)
COMMAND = typer.main.get_command(app)
VERBS = {name: verb for name, verb in COMMAND.commands.items() if not verb.hidden}
NESTED = [f"{name} {inner}" for name, verb in VERBS.items() for inner in getattr(verb, "commands", {})]


def options(verb: str) -> set[str]:
    """Every option of a verb, `predictions get` included."""
    result = COMMAND
    for word in verb.split():
        result = result.commands[word]
    return {name for param in result.params for name in param.opts if name.startswith("-")} | {"--help", "--debug"}


def calls() -> list[tuple[str, str]]:
    """Each `lockgate …` in the Makefile and the workflows, with the file that it is in."""
    lines = [(line, "Makefile") for line in MAKEFILE.replace("\\\n", " ").splitlines() if line.startswith("\t")]
    for file in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                lines += [(line, file.name) for line in step.get("run", "").replace("\\\n", " ").splitlines()]
    pattern = r"(?:\$\(LOCKGATE\)|bin/lockgate) ([^;|&]*)"
    return [(call, where) for line, where in lines for call in re.findall(pattern, line)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_documented(verb: str) -> None:
    assert re.search(rf"\b(lockgate|make) {verb}\b", COMMANDS)


@pytest.mark.parametrize("verb", [*VERBS, *NESTED])
def test_every_verb_and_option_has_its_sentence(verb: str) -> None:
    result = COMMAND
    for word in verb.split():
        result = result.commands[word]
    assert result.help
    assert all(
        param.help or param.hidden
        for param in result.params
        if isinstance(param, click.Option) and param.name != "help"
    )


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_documented(target: str) -> None:
    """`make` alone prints the menu; `make judge` is the verb of that name."""
    guide = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "CONTRIBUTING.md")) + COMMANDS
    names = re.search(rf"\bmake {target}\b", guide) or (target in VERBS and f"lockgate {target}" in guide)
    assert names or (target == "help" and "`make`" in guide)


def test_calls_were_found() -> None:
    assert {where for _, where in calls()} == {"Makefile", "deploy.yml", "evaluate.yml", "promote.yml"}
    assert len(calls()) >= 9


@pytest.mark.parametrize(("call", "where"), calls())
def test_whoever_calls_a_verb_calls_one_that_there_is_with_options_that_it_has(call: str, where: str) -> None:
    words = re.findall(r"--?[a-z-]+|[a-z]+", re.split(r'[$"]', call, maxsplit=1)[0])
    verb = words[0] if f"{words[0]} {words[1] if len(words) > 1 else ''}" not in NESTED else " ".join(words[:2])
    assert verb in [*VERBS, *NESTED]
    arguments = set(re.findall(r"(?<![\w-])(--[a-z0-9-]+)", call)) - {"--"}
    assert arguments - {"--with"} <= options(verb)
    assert "--with" not in arguments or verb in ("evaluate", "predict")  # evaluate hands Metaflow's own on


def written_files() -> set[str]:
    """Files and folders that the examples of three pages write: options, targets of make, and `.write("…")`."""
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/evidence.md")) + COMMANDS
    flags = "out|decision|report|statement|output|bundle"
    names = re.findall(rf"(?:--(?:{flags})[ =]|\bout=|\.write\(\")([a-z][a-z0-9_./-]*)", pages)
    predicates = (name.removesuffix(".json") + ".predicate.json" for name in re.findall(r"--statement (\S+)", pages))
    return {*names, *predicates, "lockgate.key"}


def test_what_the_examples_write_is_ignored_by_git(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert {"audit", "champion.tar", "decision.json", "deploy", "evidence.arrow", "vsa.json"} <= written_files()
    for name in written_files():
        file = name if "." in name else f"{name}/file"
        ignored = subprocess.run(["git", "check-ignore", "--quiet", file], cwd=tmp_path, check=False)
        assert ignored.returncode == 0, f"{name} is not in .gitignore"


def test_whoever_judges_knows_the_json_options() -> None:
    for verb in ("evaluate", "judge"):
        assert {"--json", "--decision", "--report"} <= options(verb)
    for verb in ("champion", "history", "predict", "predictions get", "predictions versions", "predictions rollback"):
        assert "--json" in options(verb)
