"""The menu: its help, the way that values travel from the command line to Python, and the stamps.

make runs in a copy of the files that it needs, with a command in place of `lockgate` that records what it was given.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MENU = {"help", "setup", "evaluate", "judge", "reverify", "selftest", "predict", "champion", "history", "predictions"}
MENU |= {"demo", "test", "check", "bench", "simulate", "races", "mutate", "clean", "manifests", "lock"}
MENU |= {"image", "test-commands", "nightly", "deploy-prod", "status-prod", "trigger-prod", "undeploy-prod"}
RECORDER = """
import json, os, sys
with open("record.json", "w", encoding="utf-8") as file:
    json.dump({"argv": sys.argv[1:], "env": dict(os.environ)}, file)
sys.exit(int(os.environ.get("RECORDER_EXIT", "0")))
"""
# Each would leave the file `canary` behind if make or sh ran it.
PAYLOADS = [
    "$(shell touch canary)",
    "${shell touch canary}",
    "$$(touch canary)",
    "$(touch canary)",
    "`touch canary`",
    "x; touch canary",
    "x && touch canary #",
    "x | touch canary",
    "x > canary",
    "'; touch canary; '",
    '"; touch canary; "',
    "\"$(touch canary)\" '`touch canary`'",
    "$(eval $(shell touch canary))",
    "$(error stop)",
    "$(LOCKGATE)",
    "$@ $< $* $% $",
    "x\\",
    "\\$(shell touch canary)\\",
    "a  b\tc ",
    "#half",
    "50%",
    "a=b=c",
    "naïve ☃ 日本",
    "--help",
    "-",
    "~",
    "*",
    "!",
    "(",
    ")",
    "x\r",
    "../../x",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the Makefile whose environments are installed, as far as make can tell."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "recorder.py").write_text(RECORDER, encoding="utf-8")
    (tmp_path / ".venv").mkdir()
    for stamp in (".metaflow", ".dev"):
        (tmp_path / ".venv" / stamp).touch()
    return tmp_path


def run_make(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Without the variables by which an outer make speaks to an inner one."""
    command = ["make", f"LOCKGATE={sys.executable} recorder.py", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": str(tree), "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, encoding="utf-8", check=False)


def record(tree: Path, *arguments: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    """The argv and the environment that `lockgate` gets."""
    completed = run_make(tree, *arguments, **environment)
    assert completed.returncode == 0, completed.stderr
    document = json.loads((tree / "record.json").read_text(encoding="utf-8"))
    return document["argv"], document["env"]


def test_make_alone_prints_every_target_with_its_sentence(tree: Path) -> None:
    completed = run_make(tree)
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", completed.stdout, flags=re.MULTILINE))
    assert completed.returncode == 0
    assert set(listed) == MENU
    assert all(len(sentence.split()) >= 3 for sentence in listed.values())


def test_every_phony_target_of_the_menu_exists_and_no_recipe_is_long() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    length = 0
    for number, line in enumerate(lines, start=1):
        length = length + 1 if line.startswith("\t") else 0
        assert length <= 3, f"Makefile:{number}: a recipe has at most three lines"
    declared = {target for line in lines if line.startswith(".PHONY:") for target in line.split()[1:]}
    defined = {line.split(":")[0] for line in lines if re.match(r"[a-z-]+:(?!=)", line)}
    assert declared > MENU
    assert declared == defined


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_value_arrives_as_it_was_typed_and_is_never_run(tree: Path, payload: str) -> None:
    argv, env = record(tree, "evaluate", f"model={payload}", f"model.x_y={payload}", f"with={payload}")
    assert env["LOCKGATE_MAKE_OVERRIDES"] == f"model={payload}\nmodel.x_y={payload}\n"
    assert argv == ["evaluate", "--overrides-from-make", f"--with={payload}"]
    argv, _ = record(tree, "judge", f"run={payload}")
    assert argv == ["judge", "--", payload]
    argv, _ = record(tree, "predict", f"run={payload}", f"window={payload}")
    assert argv == ["predict", f"--window={payload}", f"--upstream-run-id={payload}"]
    argv, _ = record(tree, "predictions", f"key={payload}")
    assert argv == ["predictions", "get", "--", payload]
    assert not (tree / "canary").exists()


@pytest.mark.parametrize("payload", ["a\nb", "a\nmodel=other", "a\n$(shell touch canary)", "a\n"])
@pytest.mark.parametrize("name", ["model", "with", "run", "PYTHON"])
def test_a_value_of_several_lines_is_refused(tree: Path, name: str, payload: str) -> None:
    completed = run_make(tree, "evaluate", f"{name}={payload}")
    assert completed.returncode == 2
    assert len(completed.stderr.splitlines()) == 1
    assert f"{name}: a value is a single line" in completed.stderr
    assert not (tree / "canary").exists()
    assert not (tree / "record.json").exists()


@pytest.mark.parametrize("blank", [" ", "\t", "\n"])
def test_make_itself_strips_leading_blanks(tree: Path, blank: str) -> None:
    _, env = record(tree, "evaluate", f"model={blank}$(shell touch canary)")
    assert env["LOCKGATE_MAKE_OVERRIDES"] == "model=$(shell touch canary)\n"
    assert not (tree / "canary").exists()


@pytest.mark.parametrize("payload", ["$(shell touch canary)", "`touch canary`", "x; touch canary", "x'y"])
def test_the_environment_is_not_expanded_either(tree: Path, payload: str) -> None:
    names = ("model", "run", "USER", "LOGNAME", "METAFLOW_USER", "LOCKGATE_MAKE_OVERRIDES", "GIVEN_RUN", "PYTHON")
    argv, env = record(tree, "evaluate", **dict.fromkeys(names, payload))
    assert argv == ["evaluate", "--overrides-from-make"]
    assert (env["LOCKGATE_MAKE_OVERRIDES"], env["GIVEN_RUN"]) == ("", "")
    assert env["METAFLOW_USER"] == payload
    assert not (tree / "canary").exists()


def test_overrides_are_all_names_but_the_reserved_and_the_capital_ones(tree: Path) -> None:
    typed = ["as_of=2013-10", "model.max_depth=4", "PYTHON=python3", "FOO=1", "Model=x", "+a.b=2", "ünï=3", "x="]
    _, env = record(tree, "evaluate", "with=card", "extra=metaflow", *typed)
    lines = env["LOCKGATE_MAKE_OVERRIDES"].splitlines()
    assert sorted(lines) == sorted(["as_of=2013-10", "model.max_depth=4", "Model=x", "+a.b=2", "ünï=3", "x="])


@pytest.mark.parametrize(
    "arguments",
    [["judge", "model=xgb"], ["judge", "window=2013-11"], ["evaluate", "run=x"], ["test", "extra=outerbounds"]],
)
def test_what_a_target_does_not_take_is_refused_not_ignored(tree: Path, arguments: list[str]) -> None:
    completed = run_make(tree, *arguments)
    assert completed.returncode == 2
    assert f"make {arguments[0]} does not take: {arguments[1].split('=')[0]}" in completed.stderr
    assert not (tree / "record.json").exists()


@pytest.mark.parametrize(
    ("arguments", "argv"),
    [
        (["judge"], ["judge", "--"]),
        (["predict"], ["predict"]),
        (["predictions"], ["predictions", "versions"]),
        (["champion"], ["champion"]),
        (["history"], ["history"]),
        (["demo"], ["demo"]),
        (["selftest"], ["selftest", "--overrides-from-make"]),
        (["reverify"], ["reverify", "--overrides-from-make"]),
        (["deploy-prod"], ["deploy"]),
        (["status-prod", "branch=b"], ["status", "--branch=b"]),
        (["undeploy-prod", "branch=b", "dry_run=yes"], ["undeploy", "--branch=b", "--dry-run"]),
        (["trigger-prod", "flow=Predict", "window=2013-11"], ["trigger", "--", "Predict", "window=2013-11"]),
        (["manifests"], ["manifests", "--out=build/production"]),
        (
            ["manifests", "out=my deploy", "platform=outerbounds"],
            ["manifests", "--out=my deploy", "--platform=outerbounds"],
        ),
        (["deploy-prod", "dry_run=1", "branch=fix $HOME"], ["deploy", "--branch=fix $HOME", "--dry-run"]),
        (["deploy-prod", "dry_run=0", "without_champion=1"], ["deploy", "--without-champion"]),
    ],
)
def test_targets_without_arguments(tree: Path, arguments: list[str], argv: list[str]) -> None:
    assert record(tree, *arguments)[0] == argv


@pytest.mark.parametrize(
    ("target", "code", "answer"),
    [
        ("evaluate", "1", "HOLD"),
        ("evaluate", "3", "INCONCLUSIVE"),
        ("evaluate", "2", None),
        ("judge", "3", "INCONCLUSIVE"),
        ("reverify", "1", "HOLD"),
    ],
)
def test_a_verdict_other_than_promote_fails_the_target_and_is_no_crash(
    tree: Path, target: str, code: str, answer: str | None
) -> None:
    completed = run_make(tree, target, RECORDER_EXIT=code)
    line, crash = f"lockgate: {answer} is the answer, and nothing has crashed", f"{target}] Error {code}\n"
    assert completed.returncode == 2
    assert completed.stderr.endswith(crash)
    assert ("is the answer" in completed.stderr, completed.stderr.startswith(line)) == (answer is not None,) * 2


@pytest.mark.parametrize(
    ("environment", "user"),
    [
        ({}, "lockgate"),
        ({"USER": "root"}, "lockgate"),
        ({"USER": "root", "LOGNAME": "ada"}, "ada"),
        ({"LOGNAME": "root"}, "lockgate"),
        ({"USER": "ada"}, None),
        ({"METAFLOW_USER": "ada", "USER": "root"}, "ada"),
    ],
)
def test_metaflow_gets_the_name_of_a_user_where_there_is_none(
    tree: Path, environment: dict[str, str], user: str | None
) -> None:
    assert record(tree, "champion", **environment)[1].get("METAFLOW_USER") == user


def test_setup_runs_once_and_again_when_a_lock_is_newer(tree: Path) -> None:
    (tree / "requirements" / "install.sh").write_text('echo "$1 $2" >>log; touch "$2/.$1"', encoding="utf-8")
    os.utime(tree / "requirements" / "install.sh", (1, 1))
    assert run_make(tree, "setup").returncode == 0
    assert not (tree / "log").exists()
    os.utime(tree / ".venv" / ".metaflow", (2, 2))
    os.utime(tree / "requirements" / "metaflow.txt", (3, 3))
    for _ in range(2):
        assert run_make(tree, "champion").returncode == 0
    assert (tree / "log").read_text(encoding="utf-8") == "metaflow .venv\n"


def test_the_platform_has_an_environment_of_its_own(tree: Path) -> None:
    (tree / "requirements" / "install.sh").write_text('echo "$1 $2" >>log; mkdir "$2"', encoding="utf-8")
    assert run_make(tree, "setup", "extra=outerbounds").returncode == 0
    assert (tree / "log").read_text(encoding="utf-8") == "outerbounds .venv-outerbounds\n"
    for wrong in ("x", "../x", "metaflow outerbounds", "$(shell touch canary)"):
        completed = run_make(tree, "setup", f"extra={wrong}")
        assert (completed.returncode, "expected metaflow or outerbounds" in completed.stderr) == (2, True)
    assert not (tree / "canary").exists()


@pytest.mark.parametrize("version", ["2.7.18", "3.10.9", "3.14.0"])
def test_a_python_that_is_too_old_or_too_new_is_named_in_one_line(tree: Path, version: str) -> None:
    fake = tree / "python"
    fake.write_text(f'#!/bin/sh\n[ "$1" != --version ] || echo Python {version}\n[ "$1" != -c ]\n', encoding="utf-8")
    fake.chmod(0o755)
    (tree / ".venv" / ".metaflow").unlink()
    completed = run_make(tree, "setup", f"PYTHON={fake}")
    assert completed.returncode == 2
    assert f"Python 3.11, 3.12 or 3.13 is needed, and {fake} is Python {version}" in completed.stderr.splitlines()[0]
    assert len(completed.stderr.splitlines()) == 2  # the second is make's own


def test_clean_keeps_what_cannot_be_made_again(tree: Path) -> None:
    results = [".venv/__pycache__/a", ".metaflow/__pycache__/a", "predictions.db", "conf/a.yaml"]
    gone = ["gates/__pycache__/a", "build/a", "lockgate.egg-info/a", ".mypy_cache/a", ".pytest_cache/a"]
    for name in results + gone:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    assert run_make(tree, "clean").returncode == 0
    assert [name for name in results + gone if (tree / name).exists()] == results
