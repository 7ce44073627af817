"""Weakenings are found in what is composed, wherever they are written; edits that weaken nothing are not among them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.gates.errors import LockgateError, PolicyError, SettingsError
from lockgate.gates.policy.upgrades import Added
from lockgate.gates.strictness import Changes
from lockgate.pipelines.pull_requests.changes import compare_folders
from lockgate.pipelines.settings.groups import ROOT
from tests.configuration import CONF

Edit = Callable[[Path], None]
KEPT = ("gate", "model", "train", "experiment", "data/flights", "platform/local", "store/sqlite")
MODULES = ("gates/metrics/area.py", "gates/report/plan.py", "pipelines/data/holdout.py", "pipelines/models/baseline.py")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMockMockMockMockMockMockMockMockMockMockMock"


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout: conf/ as it is shipped, some modules of code, and a table."""
    root = tmp_path_factory.mktemp("full") / "checkout"
    shutil.copytree(CONF, root / "conf")
    for path in (*MODULES, "data/flights.parquet"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, root / path)
    return root


@pytest.fixture(scope="session")
def shipped(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with fewer files to compose: one table, platform and store."""
    root = Path(shutil.copytree(full, tmp_path_factory.mktemp("shipped") / "checkout"))
    for file in (root / "conf").rglob("*.yaml"):
        path = str(file.relative_to(root / "conf"))
        if path != "config.yaml" and not path.startswith(KEPT):
            file.unlink()
    return root


@pytest.fixture
def head(shipped: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(shipped, tmp_path / "head"))


def edit(file: str, old: str, new: str) -> Edit:
    def change(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


def gate(old: str, new: str) -> Edit:
    return edit("conf/gate/default.yaml", old, new)


def config(old: str, new: str) -> Edit:
    return edit("conf/config.yaml", old, new)


def data(old: str, new: str) -> Edit:
    return edit("conf/data/flights.yaml", old, new)


def platform(old: str, new: str) -> Edit:
    return edit("conf/platform/local.yaml", old, new)


def overlay(text: str) -> Edit:
    """What config.yaml says after everything that it chooses, so that it wins."""

    def change(root: Path) -> None:
        file = root / "conf" / "config.yaml"
        lines = file.read_text(encoding="utf-8").splitlines()
        rest = [line for line in lines if "_self_" not in line]
        end = next(index for index, line in enumerate(rest) if "experiment" in line)
        file.write_text("\n".join([*rest[: end + 1], "  - _self_", *rest[end + 1 :], text]) + "\n", encoding="utf-8")

    return change


def moved(name: str, *edits: Edit) -> Edit:
    """The policy in a file of another name, which config.yaml chooses, with edits."""

    def change(root: Path) -> None:
        for edit in edits:
            edit(root)
        (root / "conf/gate/default.yaml").rename(root / f"conf/gate/{name}.yaml")
        config("gate: default", f"gate: {name}")(root)

    return change


def directions(result: Changes) -> dict[tuple[str, str], str]:
    return {(review.name, review.where): str(review.direction) for review in (*result.weakenings, *result.reviews)}


AUC = "gate.checks.auc_floor.min"
# at least two ways for each category, one of which is no edit of the line itself
WEAKER: list[tuple[str, str, Edit]] = [
    ("lower floor", AUC, gate("min: 0.60", "min: 0.55")),
    ("lower floor", AUC, overlay("gate: {checks: {auc_floor: {min: 0.1}}}")),
    ("lower floor", AUC, moved("lax", gate("min: 0.60", "min: 0.55"))),
    ("lower floor", "gate.checks.calibrated.max", gate("measure: gap, max: 0.10", "measure: gap, max: 0.5")),
    ("lower floor", "store.max_drift", edit("conf/store/sqlite.yaml", "max_drift: 0.5 ", "max_drift: null ")),
    ("wider margin", "gate.checks.log_loss.margin", gate("margin: 0.001", "margin: -0.001")),
    ("wider margin", "gate.checks.auc_kept.margin", overlay("gate: {checks: {auc_kept: {margin: -0.5}}}")),
    ("wider margin", "gate.checks.log_loss.margin", config("gate: default", "gate: independent_rows")),
    ("lower confidence", "gate.confidence", gate("confidence: 0.95", "confidence: 0.9")),
    ("lower confidence", "gate.confidence", overlay("gate: {confidence: 0.51}")),
    ("fewer rows or clusters", "gate.min_clusters", gate("min_clusters: 15", "min_clusters: 2")),
    ("fewer rows or clusters", "gate.min_class_rows", gate("min_class_rows: 20", "min_class_rows: 2")),
    ("fewer rows or clusters", "gate.checks.reloaded.min_rows", overlay("gate: {checks: {reloaded: {min_rows: 1}}}")),
    ("dropped gate or slice", "gate.checks.leakage", gate("  leakage:    {kind: leakage}\n", "")),
    ("dropped gate or slice", "gate.checks.carriers", config("gate: default", "gate: independent_rows")),
    ("dropped gate or slice", "data.slices", data("slices: [carrier, origin]", "slices: [carrier]")),
    ("dropped gate or slice", "gate.checks.carriers.min_rows", gate("min_rows: 200", "min_rows: 99999")),
    ("block to warn", "gate.checks.leakage.severity", gate("{kind: leakage}", "{kind: leakage, severity: warn}")),
    ("block to warn", "gate.checks.auc_floor.severity", overlay("gate: {checks: {auc_floor: {severity: warn}}}")),
    ("weaker holdout", "data.cluster", data("cluster: date", "cluster: null")),
    ("weaker holdout", "data.cluster", overlay("data: {cluster: null}")),
    ("waiving rule", "gate.checks.auc_floor.decide", gate("min: 0.60, decide: bound", "min: 0.60, decide: point")),
    ("waiving rule", "gate.clusters", overlay("gate: {clusters: ignore}")),
    ("waiving rule", "gate.serial_dependence", overlay("gate: {serial_dependence: ignore}")),
    ("waiving rule", "gate.valid_for", gate("valid_for: 90d", "valid_for: 9999d")),
    (
        "looser trust",
        "platform.keys.trusted.eve",
        platform("trusted: {} ", f'trusted: {{eve: {{role: judge, key: "{KEY}", last_entry: null}}}} '),
    ),
    (
        "looser trust",
        "platform.keys.trusted.eve",
        overlay(f'platform: {{keys: {{trusted: {{eve: {{role: approver, key: "{KEY}", last_entry: null}}}}}}}}'),
    ),
    ("changed default", "defaults.gate", config("gate: default", "gate: independent_rows")),
    ("changed default", "defaults.gate", moved("lax", gate("min: 0.60", "min: 0.55"))),
    ("more looks", "gate.schedule", gate("looks: 2", "looks: 500")),
    ("more looks", "gate.schedule", gate("{kind: fixed, looks: 2}", "{kind: open}")),
]


@pytest.mark.parametrize(("name", "where", "change"), WEAKER, ids=[f"{item[0]}-{item[1]}" for item in WEAKER])
def test_a_weakening_is_named(shipped: Path, head: Path, name: str, where: str, change: Edit) -> None:
    change(head)
    result = compare_folders(shipped, head)
    assert directions(result)[name, where] == "weaker"
    assert result.exit_code == 1


REVIEWED: list[tuple[str, str, Edit]] = [
    ("other holdout", "data.holdout", data("{kind: period}", "{kind: fraction, share: 0.3}")),
    ("other holdout", "data.target", data("target: late", "target: early")),
    ("other holdout", "data.types", data("types: null", "types: {dest: category}")),
    ("other holdout", "data.nulls", data('nulls: [""]', 'nulls: ["", NA]')),
    ("other holdout", "data.path", overlay("data: {path: data/easy.parquet}")),
    ("other holdout", "as_of", config("as_of: null", 'as_of: "2013-09"')),
    ("other holdout", "data.as_of", data('as_of: "2013-10"', "as_of: latest")),
    ("other holdout", "as_of", data('as_of: "2013-10"', 'as_of: "2013-09"')),
    ("other holdout", "data.zone", data("zone: UTC", "zone: Pacific/Kiritimati")),
    ("other holdout", "data.period", overlay("data: {period: week, as_of: latest}")),
    ("other holdout", "data.holdout", data("{kind: period}", "{kind: cutoff, from: 2013-12-01}")),
    ("changed default", "data.score", data("score: null", "score: {path: easy.parquet}")),
    ("other holdout", "data/flights.parquet", lambda root: (root / "data/flights.parquet").write_bytes(b"doctored")),
    ("other looks", "data.project", data("project: flights", "project: fresh")),
    ("other looks", "platform.log_root", platform("log_root: datastore", "log_root: s3://mine/log")),
    *(("changed judging code", path, edit(path, "import", "import ")) for path in MODULES),
    ("changed gate", "gate.checks.leakage", gate("leakage:    {", "leaks:    {")),
    ("changed gate", "gate.checks.auc_floor.metric", gate("metric: auc, min", "metric: accuracy, min")),
]


@pytest.mark.parametrize(("name", "where", "change"), REVIEWED, ids=[f"{item[0]}-{item[1]}" for item in REVIEWED])
def test_what_may_be_weaker_is_for_review(shipped: Path, head: Path, name: str, where: str, change: Edit) -> None:
    change(head)
    result = compare_folders(shipped, head)
    assert directions(result)[name, where] == "review"
    assert result.exit_code == 1


def test_a_table_in_a_folder_is_compared_file_by_file(shipped: Path, head: Path, tmp_path: Path) -> None:
    before = Path(shutil.copytree(shipped, tmp_path / "before"))
    for root in (before, head):
        data("path: data/flights.parquet", "path: data/parts")(root)
        (root / "data/parts/day=1").mkdir(parents=True)
        (root / "data/parts/day=1/a.parquet").write_bytes(b"one")
    assert directions(compare_folders(before, head)) == {}
    (head / "data/parts/day=1/a.parquet").write_bytes(b"doctored")
    assert directions(compare_folders(before, head))["other holdout", "data/parts"] == "review"


HARMLESS: list[tuple[str, Edit]] = [
    ("a higher floor", gate("min: 0.60", "min: 0.65")),
    ("a narrower margin", gate("margin: 0.001", "margin: 0.002")),
    ("a gate more", gate("  leakage:", "  churn: {kind: disagreement, max: 0.2, decide: bound}\n  leakage:")),
    ("warn to block", gate(", severity: warn}    # in", "}    # in")),
    ("a slice more", data("slices: [carrier, origin]", "slices: [carrier, origin, dest]")),
    ("shorter", gate("valid_for: 90d", "valid_for: 30d")),
    ("a key must sign", platform("required: false", "required: true")),
    ("a column more is banned", data("exclude: []", "exclude: [delay]")),
    ("words", gate("{kind: leakage}", "{kind: leakage, description: the law asks for it, owner: risk}")),
    ("comments and layout", gate("  leakage:    {kind: leakage}", "  # no leaks\n  leakage:\n    kind: leakage")),
    (
        "the order",
        lambda root: (
            gate("  leakage:    {kind: leakage}\n", "")(root),
            gate("checks: ", "checks:\n  leakage: {kind: leakage} ")(root),
        ),
    ),
    ("another file with the same policy", moved("strict")),
    ("an anchor", gate("confidence: 0.95 ", "confidence: &level 0.95 ")),
    ("a model", edit("conf/model/xgb.yaml", "trees: 250", "trees: 10")),
    ("what runs", platform("cpu: 2", "cpu: 8")),
    ("a file that is no table", lambda root: (root / "data/notes.csv").write_bytes(b"notes")),
    ("a longer way to say 90 days", gate("valid_for: 90d", "valid_for: 2160h")),
]


@pytest.mark.parametrize(("name", "change"), HARMLESS, ids=[item[0] for item in HARMLESS])
def test_what_weakens_nothing_raises_nothing(shipped: Path, head: Path, name: str, change: Edit) -> None:
    change(head)
    result = compare_folders(shipped, head)
    assert directions(result) == {}
    assert result.exit_code == 0


def test_what_is_neutral_is_counted(shipped: Path, head: Path) -> None:
    edit("conf/model/xgb.yaml", "trees: 250", "trees: 10")(head)
    gate("# The policy", "# A policy")(head)
    result = compare_folders(shipped, head)
    assert (result.findings, result.authors, result.reworded) == ((), 1, 1)
    same = compare_folders(shipped, shipped)
    assert (same.findings, same.authors, same.reworded) == ((), 0, 0)


def test_a_gate_that_nothing_chooses_is_compared_by_its_file(shipped: Path, head: Path) -> None:
    edit("conf/gate/independent_rows.yaml", "min: 0.80", "min: 0.70")(head)
    (item,) = compare_folders(shipped, head).weakenings
    assert (item.where, item.file) == (AUC, "conf/gate/independent_rows.yaml")


def test_a_finding_is_told_once(shipped: Path, head: Path) -> None:
    gate("min: 0.60", "min: 0.55")(head)
    (item,) = compare_folders(shipped, head).findings
    assert (item.where, item.before, item.after, item.file) == (AUC, "0.6", "0.55", "")


def test_what_is_deployed_is_compared_too(shipped: Path, head: Path) -> None:
    lines = ["defaults:", "  - config", "  - override /gate: independent_rows", "  - _self_", ""]
    (head / "conf" / "production.yaml").write_text("\n".join(lines), encoding="utf-8")
    result = compare_folders(shipped, head)
    assert {weakening.file for weakening in result.weakenings} == {"conf/production.yaml"}
    assert ("dropped gate or slice", "gate.checks.carriers") in directions(result)


@pytest.mark.parametrize(("group", "default"), [("model", "xgb"), ("train", "all"), ("experiment", "null")])
def test_an_authors_file_that_reaches_the_policy(shipped: Path, head: Path, group: str, default: str) -> None:
    text = "# @package _global_\ngate: {confidence: 0.6}\n"
    (head / "conf" / group / "mine.yaml").write_text(text, encoding="utf-8")
    (item,) = compare_folders(shipped, head).reviews
    assert (item.name, item.where, item.file) == ("changed default", f"{group}=mine", f"conf/{group}/mine.yaml")
    config(f"{group}: {default}", f"{group}: mine")(head)  # then nobody has to name it
    with pytest.raises(SettingsError, match=rf"conf/{group}/mine\.yaml changes gate"):
        compare_folders(shipped, head)


def test_a_revision_without_code_is_not_taken_for_the_same_code(shipped: Path, head: Path) -> None:
    for folder in ("gates", "pipelines"):
        shutil.rmtree(head / folder)
    (item,) = compare_folders(shipped, head).reviews
    assert (item.name, item.where) == ("changed judging code", "gates")


def test_the_last_judges_key_leaves_the_log_unsigned(shipped: Path, head: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(head, tmp_path / "signed"))
    key = f'trusted: {{ada: {{role: judge, key: "{KEY}", last_entry: null}}}} '
    platform("trusted: {} ", key)(other)
    assert directions(compare_folders(other, head)) == {("looser trust", "platform.keys.trusted"): "weaker"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gate("min: 0.60", "min: .nan"), "head: conf/config.yaml: gate.checks.auc_floor.min"),
        (gate("kind: threshold", "kind: treshold"), "did you mean 'threshold'?"),
        (gate("min: 0.60", 'min: "${..confidence}"'), "interpolation is not allowed"),
        (gate("min: 0.60", 'min: "${oc.env:HOME}"'), "a resolver is not allowed"),
        (config("gate: default", "gate: nothing"), "head: conf/config.yaml"),
        (config("  - gate: default ", "  - gate: ${oc.env:HOME} "), "the defaults are not plain"),
        (config("  - gate: default ", "  #"), "is no policy"),
        (lambda root: (root / "conf/config.yaml").unlink(), "no configuration"),
    ],
)
def test_a_head_that_does_not_compose_is_one_line(shipped: Path, head: Path, change: Edit, message: str) -> None:
    change(head)
    with pytest.raises(LockgateError) as caught:
        compare_folders(shipped, head)
    lines = caught.value.problems if isinstance(caught.value, PolicyError) else (str(caught.value),)
    assert all(message in line and "\n" not in line and "/tmp/" not in line for line in lines)


def test_a_file_that_nothing_chooses_and_that_cannot_be_read_hides_nothing_else(shipped: Path, head: Path) -> None:
    edit("conf/gate/independent_rows.yaml", "min: 0.80", "min: high")(head)
    gate("min: 0.60", "min: 0.55")(head)
    result = compare_folders(shipped, head)
    assert directions(result) == {("lower floor", AUC): "weaker", ("changed default", "gate"): "review"}
    (item,) = result.reviews
    assert (item.file, "got 'high'" in item.after) == ("conf/gate/independent_rows.yaml", True)
    assert [review.name for review in compare_folders(head, shipped).reviews] == ["changed default"]


def test_every_platform_and_table_is_compared_and_so_is_production(full: Path, tmp_path: Path) -> None:
    head = Path(shutil.copytree(full, tmp_path / "head"))
    edit("conf/platform/argo.yaml", "required: true", "required: false")(head)
    edit("conf/data/table.yaml", "share: 0.5", "share: 0.01")(head)
    edit("conf/production.yaml", "override /store: parquet", "override /store: postgres")(head)
    config("platform: local", "platform: outerbounds")(head)
    result = compare_folders(full, head)
    assert {
        (name, where): str(finding.direction)
        for finding in result.findings
        for name, where in [(finding.name, finding.where)]
        if finding.where.startswith(("platform.keys", "data", "defaults"))
    } == {
        ("looser trust", "platform.keys.required"): "weaker",
        ("other holdout", "data.holdout.share"): "review",
        ("changed default", "defaults.platform"): "review",
        ("changed default", "defaults.store"): "review",
        ("tighter trust", "platform.keys.required"): "tighter",
        ("tighter trust", "platform.keys.private"): "tighter",
    }
    assert {weakening.file for weakening in result.weakenings} == {"conf/production.yaml"}


def test_a_base_that_is_older_than_a_key_is_read_as_what_it_meant_and_head_is_not(
    shipped: Path, head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if `min_clusters` had been added to policies since the base, where ten meant no change."""
    line = next(
        line
        for line in (head / "conf/gate/default.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
        if line.startswith("min_clusters:")
    )
    number = int(line.split()[1])
    added = Added(shape=2, key="min_clusters", value=number + 5, because="more were asked for")
    monkeypatch.setattr("lockgate.gates.policy.upgrades.UPGRADES", (added,))
    for file in (head / "conf/gate").glob("*.yaml"):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("min_clusters:")), encoding="utf-8")
    findings = [
        finding for finding in compare_folders(head, shipped).findings if finding.where.endswith("min_clusters")
    ]
    assert [(finding.direction, finding.before, finding.after) for finding in findings] == [
        ("weaker", str(number + 5), str(number))
    ]
    with pytest.raises(PolicyError, match=rf"gate.min_clusters \({number + 5} keeps what a policy without it meant"):
        compare_folders(shipped, head)
