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
from lockgate.pipelines.deployment.target import branch_slug
from lockgate.pipelines.github import event
from lockgate.pipelines.github.annotations import format_annotations
from lockgate.pipelines.pull_requests.candidates import MAX_CANDIDATES, load_candidates
from lockgate.pipelines.pull_requests.versions import load_version
from lockgate.pipelines.settings.groups import ROOT
from tests.configuration import CONF
from tests.gates.conftest import DECLARED, Make
from tests.hostile.corpus import CANARY, EVERY, HYDRA, SECRET

ONE_LINE = re.compile(r"[^\n\r\x00-\x1f\x7f-\x9f\u2028\u2029]*")


@pytest.fixture(autouse=True)
def _no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs in an empty folder, in which nothing may appear."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    yield
    check_no_canary()


def check_no_canary() -> None:
    assert list(Path.cwd().iterdir()) == []
    assert not (ROOT / CANARY).exists()


def check_every_text(check: Callable[[str], None]) -> None:
    """Check each text of the corpus; a failure names its text. One test for all, as they are too many for test ids."""
    for text in EVERY:
        try:
            check(text)
            check_no_canary()
        except BaseException as err:
            err.add_note(f"with the text {text[:200]!r}")
            raise


def refusal(action: Callable[[], object]) -> str:
    """The one line of a refusal; empty where there was none."""
    message = ""
    try:
        action()
    except LockgateError as err:
        message = str(err)
    assert ONE_LINE.fullmatch(message)
    assert SECRET not in message
    assert len(message) < 1500
    return message


class Skeleton(HTMLParser):
    """The elements of a page with their attributes, without its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(f"<{tag} {attrs}>")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.elements.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse_report(text: str) -> Skeleton:
    """Of the page that is made of a report."""
    page = Skeleton()
    page.feed(render_page(text))
    return page


def render_review(text: str) -> str:
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
def harmless_elements() -> list[str]:
    return parse_report(render_review("harmless")).elements


def check_report(text: str, harmless_elements: list[str]) -> None:
    page = parse_report(render_review(text))
    assert page.elements == harmless_elements
    page_text = "".join(page.text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page_text)


def check_markdown(text: str) -> None:
    """Neither of the characters that make one is there as itself, nor what GitHub makes one without them."""
    escaped = markdown.escape(text)
    assert not re.search(r"[@#<>\[\]`*_|~\\:]", re.sub(r"&#\d+;", "", escaped))
    assert not re.search(r"(?i)www\.|\bgh-\d", escaped)
    assert ONE_LINE.fullmatch(escaped)


def check_terminal(text: str) -> None:
    names = np.array([text[:200].replace("\x00", "0") or "nothing", "other"])
    checks = {"sites": {**Make.checks["slices"], "min_rows": 400}}
    decision = judge(
        Policy.parse({**DECLARED, "checks": checks}), Make().evidence(slices={"site": names[np.arange(600) % 2]})
    )
    out = Console(file=io.StringIO(), width=200, highlight=False)
    out.print(terminal.render(decision))
    printed = out.file.getvalue()
    assert all(character.isprintable() or character == "\n" for character in printed)


def check_annotation(text: str) -> None:
    (line,) = format_annotations("warning", [(text, text)])
    assert ONE_LINE.fullmatch(line)
    assert re.fullmatch(r"::warning title=[^:,]*::.*", line)


def check_revision(text: str, repository: Path) -> None:
    revisions = {"@", "refs/heads/main", "HEAD^{commit}", "HEAD@{yesterday}"}  # all of them name the one commit
    assert refusal(lambda: load_version(text, repository=repository)) or text in revisions


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with one commit."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(CONF, folder / "conf")
    ada = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*ada, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def check_branch(text: str) -> None:
    message = refusal(lambda: branch_slug(text))
    if not message:
        assert re.fullmatch("[a-z0-9_]{1,40}", branch_slug(text))


def check_event(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = {"sha": "a" * 40, "ref": text, "label": text, "repo": {"full_name": "acme/models", "description": text}}
    pull = {"number": 7, "title": text, "body": text, "labels": [{"name": text}], "head": head, "user": {"login": text}}
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"action": text, "pull_request": pull}), encoding="utf-8")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(file))
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/models")
    pull_request = event.read_pull()
    assert (pull_request.number, pull_request.head, pull_request.fork) == (7, "a" * 40, False)
    assert type(pull_request).model_fields.keys() == {"repository", "number", "head", "fork"}
    monkeypatch.setenv("GITHUB_REPOSITORY", text.replace("\x00", "0"))
    assert refusal(event.read_pull) or event.REPOSITORY.fullmatch(text)


def test_an_override_is_refused_in_one_line_or_changes_what_is_the_authors(tmp_path: Path) -> None:
    """Written into conf/candidates.yaml, sixteen at a time."""
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    accepted = []
    for start in range(0, len(EVERY), MAX_CANDIDATES):
        listed = {f"c{number}": [text] for number, text in enumerate(EVERY[start : start + MAX_CANDIDATES])}
        (conf / "candidates.yaml").write_text(
            json.dumps({"c99": []} | listed if not start else listed), encoding="utf-8"
        )
        message = refusal(lambda: load_candidates(conf))
        if message:  # the file as a whole, as for what is too long
            continue
        for candidate in load_candidates(conf):
            assert ONE_LINE.fullmatch(candidate.refusal), candidate.refusal
            assert SECRET not in candidate.refusal
            if not candidate.refusal:
                accepted += candidate.overrides
    assert not set(accepted) & set(HYDRA)


def check_candidate_name(text: str, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir(exist_ok=True)
    (conf / "candidates.yaml").write_text(json.dumps({text: []}), encoding="utf-8")
    message = refusal(lambda: load_candidates(conf))
    assert message or re.fullmatch("[a-z][a-z0-9_-]{0,31}", text)


def test_a_report_has_the_elements_that_it_has_of_a_harmless_name(harmless_elements: list[str]) -> None:
    check_every_text(lambda text: check_report(text, harmless_elements))


def test_nothing_in_a_report_is_a_mention_or_a_link_to_github() -> None:
    check_every_text(check_markdown)


def test_a_terminal_gets_printable_characters_only() -> None:
    check_every_text(check_terminal)


def test_an_annotation_is_one_command() -> None:
    check_every_text(check_annotation)


def test_a_revision_is_looked_up_and_nothing_else(repository: Path) -> None:
    check_every_text(lambda text: check_revision(text, repository))


def test_a_branch_becomes_a_name_that_kubernetes_takes() -> None:
    check_every_text(check_branch)


def test_titles_branches_and_labels_of_an_event_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_every_text(lambda text: check_event(text, tmp_path, monkeypatch))


def test_a_name_of_a_candidate_is_a_plain_word(tmp_path: Path) -> None:
    check_every_text(lambda text: check_candidate_name(text, tmp_path))


def test_there_are_at_least_two_hundred() -> None:
    assert len(EVERY) >= 200
