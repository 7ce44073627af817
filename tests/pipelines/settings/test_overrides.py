"""What an override may be, and that nothing else gets through or out."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.settings.overrides import MAX_OVERRIDE_CHARS, vet_overrides
from lockgate.pipelines.settings.settings import compose
from tests.configuration import CONF

SECRET = "s3cr3t-c4n4ry"
HOSTILE = [
    "",
    " ",
    "=",
    "==",
    "model",
    "model=",
    "=xgb",
    "model=../../../etc/passwd",
    "model=../model/xgb",
    "model=/etc/passwd",
    "model=xgb.yaml",
    "model=xgb/",
    "model=[xgb]",
    "model={a:1}",
    "model=XGB",
    "model=null",
    "model=???",
    "model=1",
    "model=true",
    "model=xgb,logistic",
    "model=choice(xgb,logistic)",
    "model=glob(*)",
    "model=shuffle(xgb,logistic)",
    "model@_global_=xgb",
    "model@model2=xgb",
    "@model=xgb",
    "+model=xgb",
    "++model=xgb",
    "~model",
    "~model=xgb",
    "+model.x=1",
    "++model.max_depth=1",
    "~gate.checks.leakage",
    "+gate.checks.mine={kind:leakage}",
    "gate.checks={}",
    "gate.checks=null",
    "gate.checks.auc_floor={}",
    "gate.checks.auc_floor=null",
    "gate={}",
    "gate=null",
    "model._target_=os.system",
    "+model._target_=os.system",
    "_target_=os.system",
    "hydra.run.dir=/tmp/x",
    "hydra.searchpath=[file:///tmp]",
    "hydra/launcher=basic",
    "+hydra.callbacks.x={_target_:os.system}",
    "hydra=default",
    "--config-dir=/tmp",
    "-m",
    "--multirun",
    "model.max_depth=${oc.env:CANARY}",
    "model.name=${oc.env:CANARY}",
    "data.path=${oc.env:CANARY}",
    "data.path='${oc.env:CANARY}'",
    'data.path="\\${oc.env:CANARY}"',
    "as_of=${now:%Y-%m}",
    "as_of=${seed}",
    "model.max_depth=$CANARY",
    "model.max_depth=nan",
    "model.max_depth=NaN",
    "model.learning_rate=.nan",
    "model.learning_rate=inf",
    "model.learning_rate=-inf",
    "model.learning_rate=1e999",
    "model.learning_rate=-1e999",
    "gate.confidence=nan",
    "gate.checks.auc_floor.min=nan",
    "gate.checks.auc_floor.min='.nan'",
    "gate.checks.auc_floor.min=.inf",
    "gate.checks.auc_floor.min=true",
    "model.max_depth=1,2,3",
    "model.max_depth=range(1,9)",
    "model.max_depth=interval(1,9)",
    "model.max_depth=glob(*)",
    "model.max_depth=choice(1,2)",
    "model.max_depth=sort(3,2)",
    "model.max_depth=int(3.5)",
    "model.max_depth=str(3)",
    "model.max_depth=extend_list(3)",
    "model.max_depth=[1]",
    "model.max_depth={a:1}",
    "model.max_depth=[[1]]",
    "model.max_depth=four",
    "model.max_depth=4.5",
    "model.max_depth='4'",
    "model.max_depth=true",
    "model.max_depth=null",
    "model.max_depth=",
    "model.max_depth=0",
    "model.max_depth=99999999999999999999999999",
    "model.trees=-1",
    "model.nothing=1",
    "model.max_dpeth=4",
    "nothing=1",
    "nothing.at.all=1",
    "train.periods=0",
    "train.periods=1e3",
    "train.columns=[[a]]",
    "train.columns=[nan]",
    "train.columns=late",
    "seed=-1",
    "seed=1e9",
    "seed=99999999999999999999",
    "as_of=2013-13",
    "as_of=2013",
    "as_of=yesterday",
    "as_of='2013-10; rm -rf'",
    "platform.cpu=99999999999999999999",
    "platform.memory_mb=99999999999999999999",
    "data.positive=99999999999999999999",
    "gate.min_clusters=99999999999999999999",
    "data.project='a/b'",
    "data.project='../x'",
    "store.path=",
    "a" * 5000,
    "model=" + "x" * 5000,
    "model.max_depth=" + "9" * 900,
    "[" * 900,
    "model.max_depth=" + "[" * 900,
    "model=x\ny",
    "model=xgb\n",
    "\nmodel=xgb",
    "as_of=2013-10\n",
    "model=x\x00y",
    "model.max_depth=\x00",
    "модель=xgb",
    "model=ｘｇｂ",
    "model=xgb\u202e",
    "\ud800=xgb",
    "model=\ud800",
    "data.target=\udcff",
    "data.target='\udcff'",
    "store.path=\udcff",
    "data.path='a\udcffb'",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:40] for text in HOSTILE])
def test_the_hostile_corpus_is_refused_in_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", SECRET)
    with pytest.raises(LockgateError) as caught:
        compose([text])
    message = "".join(map(str, getattr(caught.value, "problems", [caught.value])))
    assert "\n" not in message
    assert SECRET not in message
    assert len(message) < 1200
    message.encode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model=xgboost", f"unknown model 'xgboost'; expected one of {', '.join(sorted(MODELS))} @ model=xgboost"),
        ("model=xgboost", "did you mean 'xgb'?"),
        ("modle=xgb", "did you mean"),
        ("model.max_dpeth=4", "did you mean 'model.max_depth'?"),
        ("model.max_dpeth=4", "model.learning_rate"),
        ("nothing=1", "expected one of data, experiment, gate, model"),
        ("gate.chekcs.auc_floor.min=1", "did you mean 'gate.checks.auc_floor.min'?"),
        ("model.max_depth=four", "got 'four'; expected a finite whole number @ model.max_depth"),
        ("+model.x=1", "an override can only change an existing value"),
        ("model.max_depth=int(3.5)", "a function is not allowed"),
        ("model=xgb,logistic", "a sweep is not allowed"),
        ("model.max_depth=nan", "got nan; expected a finite number"),
        ("hydra.run.dir=x", "'hydra.run.dir' cannot be overridden; expected a group (data, experiment"),
        ("model.max_depth=$X", "interpolation is not allowed"),
    ],
)
def test_the_line_says_what_there_is(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compose([text])
    assert message in str(caught.value)


@pytest.mark.parametrize("pair", [("seed=1", "seed=2"), ("model=xgb", "model=logistic"), ("seed=1", "seed=1")])
def test_the_same_thing_twice_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(SettingsError, match="is given twice"):
        compose(pair)


def test_a_key_is_checked_against_the_choice_that_was_made() -> None:
    assert compose(["model=logistic", "model.C=0.5"]).settings.model.model_extra["C"] == 0.5
    assert compose(["model.C=0.5", "model=logistic"]).settings.model.model_extra["C"] == 0.5
    with pytest.raises(SettingsError, match=r"unknown key 'model\.C'"):
        compose(["model.C=0.5"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("model.max_depth=3", 3),
        ("model.learning_rate=0.5", 0.5),
        ("model.learning_rate=1e-3", 1e-3),
        ("model.learning_rate=1", 1),
        ("model.tree_method=exact", "exact"),
        ("model.tree_method='exact'", "exact"),
    ],
)
def test_plain_values_arrive_as_they_are(text: str, value: object) -> None:
    assert compose([text]).settings.model.model_extra[text.partition("=")[0].split(".")[1]] == value


def test_lists_of_words_and_null_are_plain() -> None:
    assert compose(["train.columns=[hour,dest]"]).settings.train.columns == ("hour", "dest")
    assert compose(["data.target='late (min)'"]).settings.data.target == "late (min)"
    assert compose(["train=recent", "train.periods=null"]).settings.train.periods is None


def test_the_longest_override() -> None:
    text = "store.path=" + "x" * (MAX_OVERRIDE_CHARS - len("store.path="))
    assert compose([text]).settings.store.path.startswith("xxx")
    with pytest.raises(SettingsError, match="too long"):
        compose([f"{text}x"])


def test_vetting_gives_back_what_was_typed() -> None:
    texts = ["model=xgb", "seed=3", "train.columns=[hour]"]
    assert sorted(change.text for change in vet_overrides(texts, CONF)) == sorted(texts)


WORDS = st.sampled_from(
    [
        "model",
        "gate",
        "data",
        "xgb",
        "=",
        ".",
        ",",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "$",
        "${",
        "oc.env:CANARY",
        "@",
        "+",
        "~",
        "/",
        "\\",
        "'",
        '"',
        "max_depth",
        "seed",
        "as_of",
        "nan",
        "1e999",
        "glob",
        "hydra",
        "_target_",
        ":",
        " ",
        "\n",
    ]
)
ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)  # surrogates too
ANYTHING = st.one_of(ANY_TEXT, st.lists(WORDS, max_size=9).map("".join), ANY_TEXT.map("model.max_depth={}".format))


@pytest.mark.nightly
@settings(max_examples=150)
@example(["model.max_depth=\x0b"])
@example(["model.max_depth=\\"])
@example(["seed=0x1F"])
@example(["seed=1_0"])
@given(st.lists(ANYTHING, min_size=1, max_size=2))
def test_no_text_raises_anything_but_what_a_user_can_read(texts: list[str]) -> None:
    before = dict(os.environ)
    try:
        changes = vet_overrides(texts, CONF)
    except LockgateError as err:
        assert "\n" not in str(err)  # noqa: PT017
    else:
        assert len(changes) == len(texts)
        assert all("$" not in change.text for change in changes)
    assert dict(os.environ) == before


KEYS = st.sampled_from(
    [
        "model.max_depth",
        "model.learning_rate",
        "model.tree_method",
        "seed",
        "as_of",
        "train.periods",
        "train.columns",
        "gate.confidence",
        "gate.valid_for",
        "gate.checks.auc_floor.min",
        "data.project",
        "data.positive",
        "data.key",
        "data.holdout.kind",
        "data.slices",
        "platform.cpu",
        "platform.retries",
        "store.kind",
        "store.path",
    ]
)
VALUES = st.one_of(
    ANY_TEXT,
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["null", "true", "[]", "[a]", "[1,null]", "{}", "''", "'a b'", "???", "1e400", "-0.0"]),
    st.text(max_size=20).map(lambda text: f"'{text}'"),
)


@pytest.mark.nightly
@settings(max_examples=20)
@given(KEYS, VALUES)
def test_no_value_of_a_real_key_raises_anything_else_or_is_let_through_in_vain(key: str, value: str) -> None:
    try:
        composed = compose([f"{key}={value}"])
    except LockgateError as err:
        assert "\n" not in str(err)  # noqa: PT017
    else:
        assert composed.settings.digest
        assert composed.policy.digest
