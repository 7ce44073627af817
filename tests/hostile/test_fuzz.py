"""The places of test_hostile.py with texts that nobody wrote: parts of the corpus, put together by hypothesis.

`pytest tests/hostile/test_fuzz.py --hypothesis-seed=N` with LOCKGATE_EXAMPLES=300 tries three hundred others each. An
hour of that, seeds 1 to 42 and 1001 to 1017, found nothing; what is found belongs into corpus.py.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.pipelines.pull_requests.candidates import candidates
from lockgate.pipelines.settings.settings import Composed, compose
from tests.configuration import CONF
from tests.hostile import test_hostile as places
from tests.hostile.corpus import EVERY

EXAMPLES = int(os.environ.get("LOCKGATE_EXAMPLES", "20"))
TEXTS = st.text(max_size=200) | st.lists(st.sampled_from(EVERY) | st.text(max_size=4), min_size=1, max_size=4).map(
    "".join
)
OVERRIDES = st.tuples(
    st.sampled_from(["model", "train", "experiment", "gate.confidence", "model.trees", "model.x", "hydra.run.dir", ""]),
    st.sampled_from(["=", "@", "+=", "", ": ", "=["]),
    TEXTS,
).map("".join)
tried = settings(
    max_examples=EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is left in the folder it all happens in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", places.SECRET)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def harmless() -> list[str]:
    return places.skeleton(places.reviewed("harmless")).found


@tried
@given(text=TEXTS)
def test_reports(harmless: list[str], text: str) -> None:
    places.test_a_report_has_the_elements_that_it_has_of_a_harmless_name(text, harmless)
    places.test_nothing_in_a_report_is_a_mention_or_a_link_to_github(text)
    places.test_a_terminal_gets_printable_characters_only(text)


@tried
@given(text=TEXTS)
def test_annotations_branches_and_candidates(text: str) -> None:
    places.test_an_annotation_is_one_command(text)
    places.test_a_branch_becomes_a_name_that_kubernetes_takes(text)
    with tempfile.TemporaryDirectory() as folder:
        places.test_a_name_of_a_candidate_is_a_plain_word(text, Path(folder))


@tried
@given(text=TEXTS)
def test_events(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        places.test_titles_branches_and_labels_of_an_event_are_not_read(text, Path(folder), patch)


@pytest.fixture(scope="module")
def plain() -> Composed:
    return compose()


@tried
@given(texts=st.lists(OVERRIDES, min_size=1, max_size=4))
def test_overrides(plain: Composed, texts: list[str]) -> None:
    """Composed, an override that was accepted changes nothing but model and train."""
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "conf"
        shutil.copytree(CONF, conf)
        (conf / "candidates.yaml").write_text(json.dumps({"one": texts}), encoding="utf-8")
        if places.refusal(lambda: candidates(conf)):
            return
        (one,) = candidates(conf)
        assert places.ONE_LINE.fullmatch(one.refusal)
        assert places.SECRET not in one.refusal
        if one.refusal:
            return
        if not places.refusal(lambda: compose(one.overrides, conf=conf)):
            composed = compose(one.overrides, conf=conf)
            authors = {"model": composed.settings.model, "train": composed.settings.train}
            assert composed.policy == plain.policy
            assert composed.settings == plain.settings.model_copy(update=authors)
