"""Every YAML composes, every value is checked, and what belongs to the gates' owners is known as theirs.

Tests of pipelines/settings/composition.py
Tests of pipelines/settings/groups.py
Tests of pipelines/settings/platform.py
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest
import yaml

from lockgate.gates.errors import LockgateError, PolicyError, SettingsError
from lockgate.pipelines.data import SOURCES
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.settings.groups import GUARDED_GROUPS
from lockgate.pipelines.settings.settings import Settings, compose
from lockgate.pipelines.stores import STORES
from tests.configuration import CONF

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir())
CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
GIVEN = {"data=table": ["data.project=mine", "data.path=mine.csv", "data.target=y"]}


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of conf/ that a test may change."""
    shutil.copytree(CONF, tmp_path / "conf")
    monkeypatch.setenv("LOCKGATE_CONF", str(tmp_path / "conf"))
    return tmp_path / "conf"


def edit_file(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_conf_without_overrides_is_what_config_yaml_says() -> None:
    composed = compose()
    assert composed.guarded == ()
    assert (composed.settings.as_of, composed.settings.model.name) == ("2013-10", "xgb")
    assert (composed.settings.data.project, next(iter(composed.policy.checks))) == ("flights", "auc_floor")


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_of_every_group_composes(group: str, choice: str) -> None:
    override = f"{group}={choice}"
    composed = compose([override, *GIVEN.get(override, [])])
    assert (composed.guarded != ()) == (group in GUARDED_GROUPS)
    assert Settings.parse(json.loads(composed.settings.to_json())) == composed.settings


def test_every_pair_of_a_data_set_and_a_policy_composes() -> None:
    for data, gate in itertools.product(("flights", "breast_cancer"), ("default", "independent_rows")):
        compose([f"data={data}", f"gate={gate}"])


def test_conf_and_the_registries_know_the_same_names() -> None:
    models = {file.stem: yaml.safe_load(file.read_text())["name"] for file in (CONF / "model").glob("*.yaml")}
    assert models == {name: name for name in MODELS}
    assert {yaml.safe_load(file.read_text())["source"] for file in (CONF / "data").glob("*.yaml")} == set(SOURCES)
    assert {yaml.safe_load(file.read_text())["kind"] for file in (CONF / "store").glob("*.yaml")} == set(STORES)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_what_must_be_given_is_asked_for(missing: int) -> None:
    options = GIVEN["data=table"]
    left_out = options[missing].split("=")[0]
    with pytest.raises(SettingsError, match=f"nothing given; expected a value @ {left_out} .give {left_out}=…."):
        compose(["data=table", *options[:missing], *options[missing + 1 :]])


@pytest.mark.parametrize(
    "override",
    ["gate.confidence=0.9", "gate=independent_rows", "data=breast_cancer", "platform=argo", "store.path=x.db"],
)
def test_an_override_of_the_gates_owners_groups_is_known_as_one(override: str) -> None:
    composed = compose(["model=logistic", override])
    assert composed.guarded == (override,)
    assert compose([override], trusted=True).guarded == ()


@pytest.mark.parametrize("override", ["model=logistic", "model.max_depth=3", "train=recent", "as_of=2013-07", "seed=3"])
def test_an_override_of_the_authors_groups_is_not_guarded(override: str) -> None:
    assert compose([override]).guarded == ()


def test_naming_the_choice_that_is_there_already_is_guarded_too() -> None:
    assert compose(["data=flights"]).guarded == ("data=flights",)


@pytest.mark.parametrize(
    ("overrides", "as_of"),
    [
        ([], "2013-10"),
        (["as_of=2013-07"], "2013-07"),
        (["as_of=latest"], "latest"),
        (["data=breast_cancer"], "latest"),
        (["data.as_of=2013-07"], "2013-07"),
        (["data.period=week", "data.as_of=latest", "as_of=2013-W40"], "2013-W40"),
    ],
)
def test_the_period_is_that_of_the_table_unless_one_is_named(overrides: list[str], as_of: str) -> None:
    settings = compose(overrides).settings
    assert settings.as_of == as_of
    assert Settings.parse(json.loads(settings.to_json())) == settings


@pytest.mark.parametrize(
    "holdout", [{"kind": "cutoff", "from": "2013-05-01"}, {"kind": "fresh", "share": 0.5, "by": None}]
)
def test_every_holdout_reaches_a_flow_as_it_is(holdout: dict[str, object]) -> None:
    tree = json.loads(compose().settings.to_json())
    tree["data"]["holdout"] = holdout
    settings = Settings.parse(tree)
    assert json.loads(settings.to_json()) == tree


def test_an_experiment_is_a_delta_of_model_and_train() -> None:
    plain, fresh = compose().settings, compose(["experiment=fresher_window"]).settings
    assert (plain.train.periods, fresh.train.periods) == (None, 3)
    assert fresh.model_copy(update={"train": plain.train}) == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults:\n  - override /gate: independent_rows\n", "changes gate"),
        ("gate: {confidence: 0.6}\n", "changes gate"),
        ("gate: {checks: {auc_floor: {min: 0.1}}}\n", "changes gate"),
        ("data: {slices: []}\n", "changes data"),
        ("data: {holdout: {kind: fraction, share: 0.1}}\n", "changes data"),
        ("platform: {cpu: 4}\n", "changes platform"),
        ("store: {path: mine.db}\n", "changes store"),
    ],
)
def test_an_experiment_that_touches_anything_else_is_refused(conf: Path, text: str, message: str) -> None:
    (conf / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}", encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        compose(["experiment=mine"])
    assert compose().settings.seed == 0


@pytest.mark.parametrize(
    "text",
    [
        "model: {max_depth: 9}\n",
        "# @package experiment.mine\nmodel: {max_depth: 9}\n",
        "# @package _global_\nexperiment: {model: {max_depth: 9}}\n",
    ],
)
def test_an_experiment_that_would_change_nothing_is_refused(conf: Path, text: str) -> None:
    """Its keys stand under its own name, where nothing reads them: its author forgot the first line."""
    (conf / "experiment" / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"is set, which nothing reads; .* @ conf/experiment/mine\.yaml$"):
        compose(["experiment=mine"])


@pytest.mark.parametrize("text", ["", "# @package _global_\n---\n", "# @package _global_\n{}\n"])
def test_an_empty_experiment_is_refused(conf: Path, text: str) -> None:
    (conf / "experiment" / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^the experiment is empty; expected what it changes @ conf/experiment/mi"):
        compose(["experiment=mine"])


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "gate/default.yaml",
            "min_rows: 200",
            "min_rows: 0400",
            r"^0400 in line \d+ is read as 256; .* @ conf/gate/def",
        ),
        (
            "data/flights.yaml",
            "positive: null",
            "positive: NO",
            r"^NO in line \d+ is read as false; .* @ conf/data/fli",
        ),
        ("config.yaml", "seed: 0 ", "seed: 1:30 ", r"^1:30 in line \d+ is read as 90; .* @ conf/config\.yaml"),
    ],
)
def test_values_are_what_they_look_like(conf: Path, file: str, old: str, new: str, message: str) -> None:
    text = (conf / file).read_text(encoding="utf-8")
    assert old in text
    (conf / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        compose()


def test_values_of_an_inherited_file_are_what_they_look_like(conf: Path) -> None:
    default = (conf / "gate/default.yaml").read_text(encoding="utf-8")
    (conf / "gate/parent.yaml").write_text(default.replace("min_rows: 200", "min_rows: 0b11"), encoding="utf-8")
    (conf / "gate/default.yaml").write_text("defaults: [parent]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^0b11 in line \d+ is read as 3; .* @ conf/gate/parent\.yaml"):
        compose()


@pytest.mark.parametrize(
    ("file", "text"),
    [("experiment/mine.yaml", "a: " + "[" * 800 + "]" * 800), ("config.yaml", "{a: " * 800 + "1" + "}" * 800)],
    ids=["lists", "mappings"],
)
def test_a_file_that_is_nested_too_deeply_is_one_line(conf: Path, file: str, text: str) -> None:
    (conf / file).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="does not compose: a file is nested too deeply @"):
        compose([file.removesuffix(".yaml").replace("/", "=")] if "/" in file else [])


@pytest.mark.parametrize("text", ["as_of: '2013-01'", "seed: 3"])
def test_an_experiment_that_sets_a_scalar_of_config_yaml_is_refused(conf: Path, text: str) -> None:
    (conf / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"conf/experiment/mine\.yaml changes (as_of|seed)"):
        compose(["experiment=mine"])


def test_an_experiment_cannot_hide_behind_an_override_of_the_same_key(conf: Path) -> None:
    """The comparison is between with and without the experiment, the overrides being the same on both sides."""
    (conf / "experiment" / "mine.yaml").write_text("# @package _global_\ngate: {confidence: 0.6}\n", encoding="utf-8")
    composed = compose(["experiment=mine", "gate.confidence=0.6"])
    assert composed.guarded == ("gate.confidence=0.6",)


@pytest.mark.parametrize("addition", ["mine: 1\n", "model: {mine: 1}\n", "train: {mine: 1}\n", "hydra: {mine: 1}\n"])
def test_an_experiment_that_adds_keys_is_refused(conf: Path, addition: str) -> None:
    (conf / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{addition}", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        compose(["experiment=mine"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("config.yaml", "as_of: null", 'as_of: "2013-13"', "got '2013-13'; expected a month"),
        ("config.yaml", "as_of: null", 'as_of: "2013-10\\n"', "expected a month"),
        ("config.yaml", "as_of: null", "as_of: 2013-10-01", "expected a month, as in 2013-10, or latest @ as_of"),
        ("data/flights.yaml", '"2013-10"', "yesterday", "expected a month, as in 2013-10, or latest @ data.as_of"),
        (
            "data/flights.yaml",
            "period: month",
            "period: week",
            "expected a week, as in 2013-W40, or latest @ data.as_of",
        ),
        ("data/flights.yaml", "zone: UTC", "zone: Mars/Olympus", "is no time zone"),
        ("config.yaml", "as_of: null", "as_of: 2013", "as_of"),
        ("config.yaml", "as_of: null", 'as_of: "${oc.env:CANARY}"', "interpolation is not allowed"),
        ("config.yaml", "seed: 0", "seed: -1", "seed"),
        ("config.yaml", "seed: 0", "seed: 0.5", "seed"),
        ("config.yaml", "seed: 0", "seed: true", "seed"),
        ("config.yaml", "seed: 0", "seed: 0\nstray: 1", "unknown key 'stray'"),
        ("config.yaml", "seed: 0", "", "seed"),
        ("config.yaml", "seed: 0", "seed: [", "not compose"),
        ("config.yaml", "seed: 0", "\tseed: 0", "not compose"),
        ("config.yaml", "model: xgb", "model: nothing", "not compose"),
        ("config.yaml", "model: xgb", "model: ../../secret", "not compose"),
        ("model/xgb.yaml", "max_depth: 4", "max_depth: four", "got 'four'; expected a finite whole number"),
        ("model/xgb.yaml", "max_depth: 4", "max_dpeth: 4", "max_dpeth"),
        ("model/xgb.yaml", "trees: 250", "trees: .inf", "trees"),
        ("model/xgb.yaml", "name: xgb", "name: pickle", "unknown model 'pickle'; expected one of"),
        ("model/xgb.yaml", "name: xgb", "name: xgb\n_target_: os.system", "'_target_' is not allowed"),
        ("data/flights.yaml", "task: binary", "task: ternary", "data.task"),
        ("data/flights.yaml", "time: date", "tiem: date", "data.tiem"),
        ("data/flights.yaml", "{kind: period}", "{kind: week}", "data.holdout"),
        ("platform/local.yaml", "cpu: 2", "cpu: 0", "platform.cpu"),
        ("platform/local.yaml", "cpu: 2", "cpu: 99999999999999999999", "platform.cpu"),
        ("store/sqlite.yaml", "path: predictions.db", "path: ''", "store.path"),
    ],
)
def test_a_wrong_file_of_conf_is_one_line_that_says_where(
    conf: Path, file: str, old: str, new: str, message: str
) -> None:
    edit_file(conf / file, old, new)
    with pytest.raises(SettingsError) as caught:
        compose()
    line = str(caught.value)
    assert message in line
    assert "\n" not in line
    assert len(line) < 700


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("min: 0.60", "min: .nan", "gate.checks.auc_floor.min"),
        ("min: 0.60", "mni: 0.60", "unknown key 'mni'"),
        ("kind: threshold", "kind: treshold", "did you mean 'threshold'?"),
        ("confidence: 0.95", "confidence: 1", "gate.confidence"),
        ("valid_for: 90d", "valid_for: 90", "gate.valid_for"),
    ],
)
def test_a_wrong_policy_is_a_policy_error(conf: Path, old: str, new: str, message: str) -> None:
    edit_file(conf / "gate" / "default.yaml", old, new)
    with pytest.raises(PolicyError) as caught:
        compose()
    assert any(message in line for line in caught.value.problems)


def test_a_policy_that_does_not_fit_the_table_is_refused_before_training() -> None:
    for overrides in ([], ["data=breast_cancer", "gate=independent_rows"]):
        compose(overrides).check_fit()
    with pytest.raises(PolicyError) as caught:
        compose(["data=breast_cancer", "gate.checks.log_loss.metric=mae"]).check_fit()
    assert caught.value.problems[0].startswith("unknown metric 'mae' for task binary; expected one of auc, ")
    assert caught.value.problems[1:] == (
        "the table has no slices by carrier; expected slices @ gate.checks.carriers.by",
    )


def test_every_mistake_is_reported_at_once(conf: Path) -> None:
    edit_file(conf / "config.yaml", "seed: 0", "seed: none")
    edit_file(conf / "data" / "flights.yaml", "task: binary", "task: 7")
    edit_file(conf / "platform" / "local.yaml", "cpu: 2", "cpu: two")
    with pytest.raises(SettingsError) as caught:
        compose()
    assert all(path in str(caught.value) for path in ("seed", "data.task", "platform.cpu"))


@pytest.mark.parametrize("where", ["", "nowhere"])
def test_a_directory_without_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("LOCKGATE_CONF", str(tmp_path / where))
    with pytest.raises(SettingsError, match=r"no configuration; expected a file config.yaml .*LOCKGATE_CONF names"):
        compose()


def test_bytes_that_are_no_text(conf: Path) -> None:
    (conf / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError):
        compose()


def test_a_secret_in_the_environment_is_not_in_what_flows_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "s3cr3t-c4n4ry")
    composed = compose()
    assert "c4n4ry" not in composed.settings.to_json()


def test_settings_are_the_same_bytes_however_they_were_asked_for() -> None:
    item = compose(["model.max_depth=3", "seed=5"]).settings
    other = compose(["seed=5", "model.max_depth=3"]).settings
    assert item.to_json() == other.to_json()
    assert item.digest == other.digest != compose().settings.digest


def test_parameters_are_those_of_the_chosen_file_and_validated_once() -> None:
    settings = compose(["model=logistic", "model.C=2", "store=parquet"]).settings
    assert isinstance(settings.model.params, MODELS["logistic"].Params)
    assert isinstance(settings.store.params, STORES["parquet"].Params)
    assert (settings.model.params.C, settings.model.params is settings.model.params) == (2.0, True)
    assert settings.store.params is settings.store.params


@pytest.mark.parametrize("mapping", [{}, {"model": 3}, {"as_of": []}, {"model": {"name": "xgb"}}])
def test_settings_that_are_none_at_all(mapping: dict[str, object]) -> None:
    with pytest.raises(LockgateError):
        Settings.parse(mapping)
