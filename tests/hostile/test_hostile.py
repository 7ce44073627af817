"""Nothing that somebody else may write becomes more than text, in any place where it is read or shown."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lockgate import Policy, judge
from lockgate.gates.errors import LockgateError
from lockgate.gates.kinds import PART_NOUNS
from lockgate.gates.report import markdown, terminal
from lockgate.gates.report.page import render_page
from lockgate.gates.report.review import CandidateReview, Review, render
from lockgate.pipelines.deployment.target import slug
from lockgate.pipelines.github import event
from lockgate.pipelines.github.annotations import shown
from lockgate.pipelines.pull_requests.candidates import MOST, candidates
from lockgate.pipelines.pull_requests.versions import version
from lockgate.pipelines.settings.groups import ROOT
from tests.configuration import CONF
from tests.gates.conftest import DECLARED, Make
from tests.hostile.corpus import CANARY, EVERY, HYDRA, SECRET

TEXTS = pytest.mark.parametrize("text", EVERY, ids=range(len(EVERY)))
ONE_LINE = re.compile(r"[^\n\r\x00-\x1f\x7f-\x9f\u2028\u2029]*")


@pytest.fixture(autouse=True)
def _no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test is in a folder of its own, where nothing may appear that it did not make itself."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    yield
    assert list((tmp_path / "here").iterdir()) == []
    assert not (ROOT / CANARY).exists()


def refusal(asked: Callable[[], object]) -> str:
    """The one line of a refusal; empty where there was none."""
    said = ""
    try:
        asked()
    except LockgateError as err:
        said = str(err)
    assert ONE_LINE.fullmatch(said)
    assert SECRET not in said
    assert len(said) < 1500
    return said


class Skeleton(HTMLParser):
    """The elements of a page with their attributes, without its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(f"<{tag} {attrs}>")

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def skeleton(text: str) -> Skeleton:
    """Of the page that is made of a report."""
    found = Skeleton()
    found.feed(render_page(text))
    return found


def reviewed(text: str) -> str:
    """A report in which `text` stands wherever a pull request has a say."""
    names = np.array([text[:200].replace("\x00", "0") or "nothing", "other"])
    evidence = Make().evidence(slices={"site": names[np.arange(600) % 2]})
    checks = {"sites": {**Make.checks["slices"], "description": text[:200], "owner": text[:200]}}
    decision = judge(Policy.parse({**DECLARED, "checks": checks}), evidence)
    return render(
        Review(
            base=text,
            chosen="good",
            among=1,
            champion=text,
            changes=None,
            problem=text,
            candidates=(
                CandidateReview(name="good", overrides=("model=xgb",), decision=decision, claimed=text),
                CandidateReview(name="bad", overrides=(text,), decision=None, error=text),
            ),
        ),
        part_nouns=PART_NOUNS,
    )


@pytest.fixture(scope="module")
def harmless() -> list[str]:
    return skeleton(reviewed("harmless")).found


@TEXTS
def test_a_report_has_the_elements_that_it_has_of_a_harmless_name(text: str, harmless: list[str]) -> None:
    found = skeleton(reviewed(text))
    assert found.found == harmless
    told = "".join(found.text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", told)


@TEXTS
def test_nothing_in_a_report_is_a_mention_or_a_link_to_github(text: str) -> None:
    """Neither of the characters that make one is there as itself, nor what GitHub makes one without them."""
    said = markdown.escape(text)
    assert not re.search(r"[@#<>\[\]`*_|~\\:]", re.sub(r"&#\d+;", "", said))
    assert not re.search(r"(?i)www\.|\bgh-\d", said)
    assert ONE_LINE.fullmatch(said)


@TEXTS
def test_a_terminal_gets_printable_characters_only(text: str) -> None:
    names = np.array([text[:200].replace("\x00", "0") or "nothing", "other"])
    checks = {"sites": {**Make.checks["slices"], "min_rows": 400}}
    decision = judge(
        Policy.parse({**DECLARED, "checks": checks}), Make().evidence(slices={"site": names[np.arange(600) % 2]})
    )
    out = Console(file=io.StringIO(), width=200, highlight=False)
    out.print(terminal.render(decision))
    told = out.file.getvalue()
    assert all(character.isprintable() or character == "\n" for character in told)


@TEXTS
def test_an_annotation_is_one_command(text: str) -> None:
    (line,) = shown("warning", [(text, text)])
    assert ONE_LINE.fullmatch(line)
    assert re.fullmatch(r"::warning title=[^:,]*::.*", line)


@TEXTS
def test_a_revision_is_looked_up_and_nothing_else(text: str, repository: Path) -> None:
    found = {"@", "refs/heads/main", "HEAD^{commit}", "HEAD@{yesterday}"}  # which are one
    assert refusal(lambda: version(text, repository=repository)) or text in found


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with one commit."""
    made = tmp_path_factory.mktemp("repository")
    shutil.copytree(CONF, made / "conf")
    ada = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*ada, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=made, check=True)
    return made


@TEXTS
def test_a_branch_becomes_a_name_that_kubernetes_takes(text: str) -> None:
    said = refusal(lambda: slug(text))
    if not said:
        assert re.fullmatch("[a-z0-9_]{1,40}", slug(text))


@TEXTS
def test_titles_branches_and_labels_of_an_event_are_not_read(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = {"sha": "a" * 40, "ref": text, "label": text, "repo": {"full_name": "acme/models", "description": text}}
    pull = {"number": 7, "title": text, "body": text, "labels": [{"name": text}], "head": head, "user": {"login": text}}
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"action": text, "pull_request": pull}), encoding="utf-8")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(file))
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/models")
    found = event.pull()
    assert (found.number, found.head, found.fork) == (7, "a" * 40, False)
    assert type(found).model_fields.keys() == {"repository", "number", "head", "fork"}
    monkeypatch.setenv("GITHUB_REPOSITORY", text.replace("\x00", "0"))
    assert refusal(event.pull) or event.REPOSITORY.fullmatch(text)


def test_an_override_is_refused_in_one_line_or_changes_what_is_the_authors(tmp_path: Path) -> None:
    """Written into conf/candidates.yaml, sixteen at a time."""
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    accepted = []
    for at in range(0, len(EVERY), MOST):
        listed = {f"c{number}": [text] for number, text in enumerate(EVERY[at : at + MOST])}
        (conf / "candidates.yaml").write_text(json.dumps({"c99": []} | listed if not at else listed), encoding="utf-8")
        said = refusal(lambda: candidates(conf))
        if said:  # the file as a whole, as for what is too long
            continue
        for one in candidates(conf):
            assert ONE_LINE.fullmatch(one.refusal), one.refusal
            assert SECRET not in one.refusal
            if not one.refusal:
                accepted += one.overrides
    assert not set(accepted) & set(HYDRA)


@TEXTS
def test_a_name_of_a_candidate_is_a_plain_word(text: str, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "candidates.yaml").write_text(json.dumps({text: []}), encoding="utf-8")
    said = refusal(lambda: candidates(conf))
    assert said or re.fullmatch("[a-z][a-z0-9_-]{0,31}", text)


def test_there_are_at_least_two_hundred() -> None:
    assert len(EVERY) >= 200
