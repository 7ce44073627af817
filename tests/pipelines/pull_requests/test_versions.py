"""A version is read as objects or files, within bounds; a hostile one is refused in one line, and runs nothing.

Tests of pipelines/pull_requests/versions.py and pipelines/pull_requests/git.py
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import grimp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.pipelines.pull_requests import versions
from lockgate.pipelines.pull_requests.versions import JUDGING, load_folder, load_version

ROOT = Path(versions.__file__).resolve().parents[2]
HOLD_THE_KEY = ("lockgate.pipelines.cli.main", "lockgate.pipelines.promote")
"""What starts the processes that have the judge's key: every command, and the flow that judges in production."""


def git(repository: Path, *words: str, fed: str | None = None) -> str:
    """Git as somebody without a configuration has it."""
    names = {
        f"GIT_{who}_{subject}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for subject in ("NAME", "EMAIL")
    }
    env = {**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    completed = subprocess.run(
        ["git", *words], cwd=repository, env=env, input=fed, capture_output=True, text=True, check=True
    )
    return completed.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, on `main`."""
    root = tmp_path / "repository"
    (root / "conf").mkdir(parents=True)
    for room in ("judge", "report"):
        (root / "gates" / room).mkdir(parents=True)
    (root / "conf" / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    (root / "gates" / "judge" / "engine.py").write_text("judge = 1\n", encoding="utf-8")
    (root / "gates" / "report" / "page.py").write_text("page = 1\n", encoding="utf-8")
    git(root, "init", "-q", "-b", "main")
    committed(root)
    return root


def committed(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all of it")


def refusal(text: str, repository: Path) -> str:
    with pytest.raises(LockgateError) as caught:
        load_version(text, repository=repository)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 700
    return line


def test_a_revision_is_what_was_committed(repository: Path) -> None:
    (repository / "conf" / "config.yaml").write_text("seed: 1\n", encoding="utf-8")
    value = load_version("main", repository=repository)
    assert value.conf == {"conf/config.yaml": b"seed: 0\n"}
    assert value.code == {"gates/judge/engine.py": b"judge = 1\n", "gates/report/page.py": b"page = 1\n"}
    assert load_version("HEAD", repository=repository).files == value.files
    assert load_version(git(repository, "rev-parse", "HEAD")[:12], repository=repository).files == value.files


def test_a_directory_is_named_with_a_slash(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(repository, tmp_path / "main")
    (tmp_path / "main" / "conf" / "config.yaml").write_text("seed: 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_version("main", repository=repository).conf == {"conf/config.yaml": b"seed: 0\n"}
    assert load_version("./main", repository=repository).conf == {"conf/config.yaml": b"seed: 2\n"}
    git(repository, "branch", "feature/x")
    assert load_version("feature/x", repository=repository).conf == {"conf/config.yaml": b"seed: 0\n"}


def test_what_python_leaves_behind_is_no_part_of_a_directory_but_of_a_revision(repository: Path) -> None:
    cache = repository / "gates" / "__pycache__"
    cache.mkdir()
    (cache / "engine.cpython-311.pyc").write_bytes(b"code")
    assert set(load_folder(repository, name="it").code) == {"gates/judge/engine.py", "gates/report/page.py"}
    committed(repository)
    value = load_version("HEAD", repository=repository)
    assert set(value.code) == {
        "gates/judge/engine.py",
        "gates/report/page.py",
        "gates/__pycache__/engine.cpython-311.pyc",
    }


HOSTILE = [
    "--output=canary",
    "-h",
    "--",
    "--upload-pack=touch canary",
    "$(touch canary)",
    "`touch canary`",
    "main; rm -r .",
    "main|touch canary",
    "main\ntouch canary",
    "main\0",
    "",
    " ",
    "../..",
    "/",
    "/etc/",
    "./nowhere/",
    "main:conf",
    "main:conf/config.yaml",
    "HEAD^{tree}",
    "main..main",
    "^main",
    "main --output=canary",
    "@{upstream}",
    "ext::sh -c 'touch canary'",
    "x" * 5000,
    "\u202emain",
    "refs/heads/*",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
def test_a_hostile_name_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(text, repository)
    assert sorted(path.name for path in tmp_path.rglob("*canary*")) == []
    assert git(repository, "status", "--porcelain") == ""


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=20))
def test_any_text_is_a_version_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(SettingsError):
        load_version(text, repository=empty)


def test_no_filter_hook_attribute_or_replacement_has_a_say(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    attributes = "* filter=evil export-ignore export-subst ident eol=crlf working-tree-encoding=UTF-16\n"
    (repository / ".gitattributes").write_text(attributes, encoding="utf-8")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {canary}\n", encoding="utf-8")
        (hooks / name).chmod(0o755)
    git(repository, "config", "filter.evil.smudge", f"touch {canary}")
    value = load_version("main", repository=repository)
    assert value.conf == {"conf/config.yaml": b"seed: 0\n"}
    other = git(repository, "hash-object", "-w", "--stdin", fed="seed: 9\n")
    git(repository, "replace", git(repository, "rev-parse", "main:conf/config.yaml"), other)
    canary.unlink(missing_ok=True)
    assert load_version("main", repository=repository).files == value.files
    assert not canary.exists()


@pytest.mark.parametrize("place", ["conf/gate", "conf/x.yaml", "gates/judge/engine.py"])
def test_a_symbolic_link_is_refused_wherever_it_points(repository: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_text("c4n4ry", encoding="utf-8")
    (repository / place).unlink(missing_ok=True)
    (repository / place).symlink_to(tmp_path / "secret")
    assert "symbolic link" in refusal(f"{repository}/", repository)
    committed(repository)
    message = refusal("HEAD", repository)
    assert "symbolic link" in message
    assert "c4n4ry" not in message


@pytest.mark.parametrize("folder", ["conf", "gates"])
def test_a_folder_that_is_a_link_is_refused(repository: Path, tmp_path: Path, folder: str) -> None:
    (repository / folder).rename(tmp_path / "elsewhere")
    (repository / folder).symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refusal(f"{repository}/", repository)
    committed(repository)
    assert "symbolic link" in refusal("HEAD", repository)


@pytest.fixture
def links(repository: Path) -> Path:
    """The folder `lockgate` of the repository, as it is to be."""
    folder = repository / "lockgate"
    folder.mkdir()
    (folder / "gates").symlink_to("../gates")
    (folder / "pipelines").symlink_to("../pipelines")
    return folder


def test_the_two_links_of_the_package_are_part_of_a_version(repository: Path, links: Path) -> None:
    expected = {"lockgate/gates": b"../gates", "lockgate/pipelines": b"../pipelines"}
    assert load_folder(repository, name="it").code.items() >= expected.items()
    committed(repository)
    assert load_version("HEAD", repository=repository).code.items() >= expected.items()


@pytest.mark.parametrize("target", ["../conf", "/etc", "../gates/", "..", "../../elsewhere/gates", "gates"])
def test_a_link_of_the_package_that_leads_elsewhere_is_refused(repository: Path, links: Path, target: str) -> None:
    (links / "gates").unlink()
    (links / "gates").symlink_to(target)
    problem = f"the link leads to {target!r}; expected a link to ../gates @ "
    if target != "../gates/":  # which pathlib tidies up; git keeps it
        assert problem in refusal(f"{repository}/", repository)
    committed(repository)
    assert f"{problem}HEAD: lockgate/gates" in refusal("HEAD", repository)


def test_a_folder_or_a_file_in_the_place_of_a_link_is_refused(repository: Path, links: Path) -> None:
    (links / "gates").unlink()
    (links / "gates").mkdir()
    (links / "gates" / "engine.py").write_text("judge = 2\n", encoding="utf-8")
    assert "it is not a link" in refusal(f"{repository}/", repository)
    committed(repository)
    assert "it is not a link" in refusal("HEAD", repository)
    (links / "gates" / "engine.py").unlink()
    (links / "gates").rmdir()
    (links / "gates").write_text("../gates", encoding="utf-8")
    assert "it is not a link" in refusal(f"{repository}/", repository)
    committed(repository)
    assert "it is not a link" in refusal("HEAD", repository)


def test_another_link_beside_the_two_is_refused(repository: Path, links: Path) -> None:
    (links / "conf").symlink_to("../conf")
    assert "symbolic link" in refusal(f"{repository}/", repository)


def test_a_pipe_is_not_waited_for(repository: Path) -> None:
    os.mkfifo(repository / "conf" / "pipe.yaml")
    assert "special file" in refusal(f"{repository}/", repository)


def test_a_module_of_another_repository_is_refused(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{commit},conf/other")
    git(repository, "commit", "-q", "-m", "another repository")
    assert "special file" in refusal("HEAD", repository)


def test_too_large_and_too_many(repository: Path) -> None:
    (repository / "conf" / "large.yaml").write_bytes(b"#" * (versions.MAX_FILE_BYTES + 1))
    assert "too large" in refusal(f"{repository}/", repository)
    committed(repository)
    assert "too large" in refusal("HEAD", repository)
    (repository / "conf" / "large.yaml").unlink()
    for number in range(versions.MAX_FILES):
        (repository / "conf" / f"{number}.yaml").touch()
    assert "too many files" in refusal(f"{repository}/", repository)
    committed(repository)
    assert "too many files" in refusal("HEAD", repository)


def test_no_conf(repository: Path, tmp_path: Path) -> None:
    git(repository, "rm", "-r", "-q", "--cached", "conf")
    git(repository, "commit", "-q", "-m", "none")
    assert "no configuration" in refusal("HEAD", repository)
    (tmp_path / "empty").mkdir()
    assert "no configuration" in refusal(f"{tmp_path}/empty", repository)


def test_an_object_that_was_not_fetched_is_not_fetched(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "partial")
    message = refusal("HEAD", tmp_path / "partial")
    assert "fetched" in message or "git cannot" in message


def beside_the_key() -> set[str]:
    """The files of this repository that a process with the judge's key can import, in functions too."""
    graph = grimp.build_graph("lockgate", cache_dir=None)
    modules = {*HOLD_THE_KEY, *(module for start in HOLD_THE_KEY for module in graph.find_upstream_modules(start))}
    modules |= {module.rpartition(".")[0] for module in modules} - {""}
    stems = [ROOT / module.removeprefix("lockgate.").replace(".", "/") for module in modules]
    return {
        str(file.relative_to(ROOT))
        for stem in stems
        for file in (stem.with_suffix(".py"), stem / "__init__.py")
        if file.is_file()
    }


def owners(path: str) -> str:
    """Who must review the file, by the last line of CODEOWNERS that matches it; empty: nobody."""
    lines = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()]
    rules = [(words[0], " ".join(words[1:])) for words in lines if words and not words[0].startswith("#")]
    assert all(re.fullmatch(r"/[\w./-]+", pattern) for pattern, _ in rules)  # no wildcard: none is understood here
    matching = [
        who for pattern, who in rules if f"/{path}" == pattern or f"/{path}".startswith(f"{pattern.rstrip('/')}/")
    ]
    return matching[-1] if matching else ""


def test_what_is_imported_beside_the_key_is_compared_and_owned() -> None:
    """Whoever changes one of these files reads the judge's key, or writes the verdict."""
    files = beside_the_key()
    assert {"pipelines/models/baseline.py", "pipelines/cli/log/act.py", "gates/report/terminal.py"} <= files
    assert [path for path in sorted(files) if not f"{path}/".startswith(tuple(f"{item}/" for item in JUDGING))] == []
    assert [path for path in sorted(files) if not owners(path)] == []
    contents = set(load_folder(ROOT, name="here").code)
    assert [path for path in sorted(files) if path not in contents] == []
    assert all((ROOT / path).exists() for path in JUDGING)


def test_what_is_the_authors_is_not_owned() -> None:
    assert [owners(f"conf/{group}/some.yaml") for group in ("model", "train", "experiment")] == ["", "", ""]


def test_any_file_has_a_digest_and_nothing_else_has(repository: Path) -> None:
    (repository / "data").mkdir()
    (repository / "data" / "a b.csv").write_bytes(b"1,2")
    (repository / "data" / "link.csv").symlink_to("a b.csv")
    (repository / "way").symlink_to("data")
    committed(repository)
    digest = hashlib.sha256(b"1,2").hexdigest()
    for item in (load_version("main", repository=repository), load_folder(repository, name="here")):
        assert item.sha256("data/a b.csv") == digest
        for path in (
            "",
            ".",
            "data",
            "data/",
            "data/link.csv",
            "way/a b.csv",
            "data/../data/a b.csv",
            "./data/a b.csv",
            "/etc/passwd",
            "../repository/data/a b.csv",
            "data/none.csv",
            "data/*",
            ":(glob)data/*",
            "a\0b",
            "data/a\nb",
            "--help",
        ):
            assert item.sha256(path) is None, path


def test_a_folder_of_files_is_a_table_whose_digest_shows_every_change(repository: Path) -> None:
    folder = repository / "data" / "orders" / "day=1"
    folder.mkdir(parents=True)
    (folder / "a.parquet").write_bytes(b"1")
    (folder.parent / "b.parquet").write_bytes(b"2")
    committed(repository)
    before = load_version("main", repository=repository)
    digest = before.table_sha256("data/orders")
    assert digest is not None
    assert digest == load_folder(repository, name="here").table_sha256("data/orders/")
    assert before.table_sha256("data/orders/b.parquet") == hashlib.sha256(b"2").hexdigest()
    for path in ("data/none", "../repository/data/orders", "/etc", "", "data/./orders"):
        assert (before.table_sha256(path), load_folder(repository, name="here").table_sha256(path)) == (None, None)
    (folder / "a.parquet").write_bytes(b"3")
    changed = load_folder(repository, name="here").table_sha256("data/orders")
    (folder / "a.parquet").write_bytes(b"1")
    (folder / "a.parquet").rename(folder / "c.parquet")
    renamed = load_folder(repository, name="here").table_sha256("data/orders")
    assert len({digest, changed, renamed}) == 3
