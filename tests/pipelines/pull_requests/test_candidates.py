"""conf/candidates.yaml: what may be proposed, and that nothing in it is anything but text."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.pull_requests.candidates import (
    DEFAULT_NAME,
    MAX_CANDIDATES,
    ListedCandidate,
    compose_training,
    load_candidates,
    with_default,
)
from tests.configuration import CONF


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    shutil.copytree(CONF, tmp_path / "conf")
    return tmp_path / "conf"


def listed(conf: Path, text: str) -> tuple[ListedCandidate, ...]:
    (conf / "candidates.yaml").write_text(text, encoding="utf-8")
    return load_candidates(conf)


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "---\n"])
def test_none_are_conf_as_it_stands(conf: Path, text: str) -> None:
    assert listed(conf, text) == (ListedCandidate(name=DEFAULT_NAME, overrides=()),)


def test_the_shipped_file_names_none(conf: Path) -> None:
    assert load_candidates(conf) == (ListedCandidate(name=DEFAULT_NAME, overrides=()),)
    (conf / "candidates.yaml").unlink()
    assert load_candidates(conf) == (ListedCandidate(name=DEFAULT_NAME, overrides=()),)


def test_the_order_and_the_text_are_those_of_the_file(conf: Path) -> None:
    result = listed(conf, "deeper: [model=xgb, model.max_depth=6]\nfresher:\n- experiment=fresher_window\nold: []\n")
    assert [(item.name, item.overrides, item.refusal) for item in result] == [
        ("deeper", ("model=xgb", "model.max_depth=6"), ""),
        ("fresher", ("experiment=fresher_window",), ""),
        ("old", (), ""),
    ]


def test_the_default_comes_first_unless_it_is_named(conf: Path) -> None:
    default = ListedCandidate(name=DEFAULT_NAME, overrides=())
    deeper = listed(conf, "deeper: [model.max_depth=6]\n")
    assert with_default(deeper) == (default, *deeper)
    assert with_default(listed(conf, "")) == (default,)
    both = listed(conf, "deeper: [model.max_depth=6]\ndefault: []\n")
    assert both == (*deeper, default)
    assert with_default(both) == (default, *deeper)


def test_no_other_candidate_has_the_name_of_the_default(conf: Path) -> None:
    with pytest.raises(
        SettingsError, match="default means conf/ as it stands, and cannot have overrides; expected another name"
    ):
        listed(conf, "default: [model.max_depth=6]\n")


SAME = {
    "the policy": ("gate/default.yaml", "min: 0.60", "min: 0.70"),
    "the store": ("config.yaml", "store: sqlite", "store: parquet"),
    "a kind that is not chosen": ("model/logistic.yaml", "name: logistic", "name: logistic # or so"),
    "a comment": ("model/xgb.yaml", "name: xgb", "name: xgb # trees"),
}
OTHER = {
    "a hyperparameter": ("model/xgb.yaml", "trees: 250", "trees: 251"),
    "another kind": ("config.yaml", "model: xgb", "model: logistic"),
    "the window": ("train/all.yaml", "periods: null", "periods: 3"),
    "another window": ("config.yaml", "train: all", "train: recent"),
    "an experiment": ("config.yaml", "experiment: null", "experiment: fresher_window"),
    "the seed": ("config.yaml", "seed: 0", "seed: 1"),
    "the holdout's month": ("data/flights.yaml", "2013-10", "2013-09"),
    "the columns": ("data/flights.yaml", "exclude: []", "exclude: [hour]"),
}


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        *(pytest.param(*change, True, id=subject) for subject, change in SAME.items()),
        *(pytest.param(*change, False, id=subject) for subject, change in OTHER.items()),
    ],
)
def test_what_a_model_is_trained_by_is_what_conf_composes(
    conf: Path, file: str, old: str, new: str, *, same: bool
) -> None:
    """Wherever it is written, and of whatever kind; other choices train no other model."""
    before = compose_training(conf, ())
    text = (conf / file).read_text(encoding="utf-8")
    assert old in text
    (conf / file).write_text(text.replace(old, new), encoding="utf-8")
    assert (compose_training(conf, ()) == before) == same


def test_a_kind_that_nobody_knows_composes(conf: Path) -> None:
    (conf / "model" / "zzz.yaml").write_text("name: zzz\nfaith: 1\n", encoding="utf-8")
    assert compose_training(conf, ("model=zzz",))["model"] == {"name": "zzz", "faith": 1}
    for text, message in (("[1]\n", "no kind of model is composed"), ("defaults: [nowhere]\n", "does not compose")):
        (conf / "model" / "zzz.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match=message):
            compose_training(conf, ("model=zzz",))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("gate=independent_rows", "gate belongs to the owners of the gates; expected overrides of model, train"),
        ("gate.confidence=0.6", "gate belongs to the owners of the gates"),
        ("data.holdout.kind=fraction", "data belongs to the owners"),
        ("as_of=2013-09", "as_of belongs to the owners"),
        ("seed=3", "seed belongs to the owners"),
        ("platform=argo", "platform belongs to the owners"),
        ("store.keep=2", "store belongs to the owners"),
        ("model.max_dept=6", "did you mean 'model.max_depth'?"),
        ("model=xbg", "did you mean 'xgb'?"),
        ("+model.x=1", "an override can only change an existing value"),
        ("~model", "an override can only change an existing value"),
        ("model.trees=${oc.env:HOME}", "interpolation is not allowed"),
        ("hydra.run.dir=/tmp", "cannot be overridden"),
        ("model=../../etc/passwd", "unknown model"),
        ("model._target_=os.system", "cannot be overridden"),
        ("model.trees=nan", "expected a finite number"),
        ("", "not an override"),
    ],
)
def test_what_is_refused_is_one_line_with_what_is_accepted(conf: Path, override: str, message: str) -> None:
    """And the candidate beside it is none the worse."""
    bad, good = listed(conf, f"bad: ['{override}']\ngood: [model=logistic]\n")
    assert message in bad.refusal
    assert len(bad.refusal.splitlines()) == 1
    assert (good.overrides, good.refusal) == (("model=logistic",), "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- model=xgb\n", "it is not a mapping; expected NAME: [model=xgb"),
        ("a: model=xgb\n", "a has no list of overrides"),
        ("a: [[model=xgb]]\n", "a has no list of overrides"),
        ("a: [{model: xgb}]\n", "a has no list of overrides"),
        ("a: []\na: []\n", "'a' occurs twice"),
        ("Big: []\n", "'Big' is not a valid name of a candidate"),
        ("../a: []\n", "'../a' is not a valid name"),
        ("a b: []\n", "'a b' is not a valid name"),
        ("? [a]\n: []\n", "a key is not plain text"),
        (f"{'a' * 33}: []\n", "is not a valid name"),
        ("a: [\n", "the file is not YAML"),
        ("a: !!python/object/apply:os.system ['touch canary']\n", "a tag is not allowed"),
        ("".join(f"a{index}: []\n" for index in range(MAX_CANDIDATES + 1)), "17 candidates; expected at most 16"),
        (f"a: [{', '.join(['model=xgb'] * 33)}]\n", "at most 32 texts"),
        ("#" * 70_000, "the file is too large"),
        ("[" * 5000, "the file is not YAML"),
    ],
)
def test_a_file_that_is_none_is_one_line(conf: Path, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(conf)
    try:
        report = listed(conf, text)[0].refusal
    except SettingsError as err:
        report = str(err)
        assert "conf/candidates.yaml" in report
    assert message in report
    assert len(report.splitlines()) == 1
    assert not (conf / "canary").exists()


def test_a_link_and_what_is_no_text_are_not_followed(conf: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a: [model=xgb]\n", encoding="utf-8")
    (conf / "candidates.yaml").unlink()
    (conf / "candidates.yaml").symlink_to(secret)
    assert [load_candidate.name for load_candidate in load_candidates(conf)] == [DEFAULT_NAME]
    (conf / "candidates.yaml").unlink()
    (conf / "candidates.yaml").write_bytes(b"a: [\xff]\n")
    with pytest.raises(SettingsError, match="not YAML"):
        load_candidates(conf)
