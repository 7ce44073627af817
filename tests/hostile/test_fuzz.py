"""The places of test_hostile.py with texts that nobody wrote: hypothesis joins parts of the corpus.

`pytest tests/hostile/test_fuzz.py --hypothesis-seed=N` with LOCKGATE_EXAMPLES=300 tries three hundred others each. An
hour of that, seeds 1 to 42 and 1001 to 1017, found nothing. What is found belongs in corpus.py.
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

from lockgate.pipelines.pull_requests.candidates import load_candidates
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
try_texts = settings(
    max_examples=EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is left behind in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", places.SECRET)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def harmless_elements() -> list[str]:
    return places.parse_report(places.render_review("harmless")).elements


@try_texts
@given(text=TEXTS)
def test_reports(harmless_elements: list[str], text: str) -> None:
    places.check_report(text, harmless_elements)
    places.check_markdown(text)
    places.check_terminal(text)


@try_texts
@given(text=TEXTS)
def test_annotations_branches_and_candidates(text: str) -> None:
    places.check_annotation(text)
    places.check_branch(text)
    with tempfile.TemporaryDirectory() as folder:
        places.check_candidate_name(text, Path(folder))


@try_texts
@given(text=TEXTS)
def test_events(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        places.check_event(text, Path(folder), patch)


@pytest.fixture(scope="module")
def plain() -> Composed:
    return compose()


@try_texts
@given(texts=st.lists(OVERRIDES, min_size=1, max_size=4))
def test_overrides(plain: Composed, texts: list[str]) -> None:
    """Composed, an accepted override changes nothing but model and train."""
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "conf"
        shutil.copytree(CONF, conf)
        (conf / "candidates.yaml").write_text(json.dumps({"one": texts}), encoding="utf-8")
        if places.refusal(lambda: load_candidates(conf)):
            return
        (candidate,) = load_candidates(conf)
        assert places.ONE_LINE.fullmatch(candidate.refusal)
        assert places.SECRET not in candidate.refusal
        if candidate.refusal:
            return
        if not places.refusal(lambda: compose(candidate.overrides, conf=conf)):
            composed = compose(candidate.overrides, conf=conf)
            authors = {"model": composed.settings.model, "train": composed.settings.train}
            assert composed.policy == plain.policy
            assert composed.settings == plain.settings.model_copy(update=authors)
