"""Models that are equal by construction, fitted on the small table of orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.gates.evidence.defects import find_defects
from lockgate.pipelines import data
from lockgate.pipelines.scoring.equal_models import EqualModels, draw_training_rows, fit_equal_models
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import Settings, compose


@pytest.fixture(scope="module")
def settings(orders_conf: Path) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCKGATE_CONF", str(orders_conf))
        return compose().settings


@pytest.fixture(scope="module")
def split(settings: Settings) -> tuple[Any, Any]:
    table = data.load(settings.data, root=ROOT)
    return data.split(table, settings.data, settings.train, settings.as_of), table


@pytest.fixture(scope="module")
def equal_models(settings: Settings) -> EqualModels:
    return fit_equal_models(settings, seeds=3, report=lambda _: None)


def test_every_ordered_pair_of_seeds_is_there(equal_models: EqualModels) -> None:
    models = {evidence.challenger.tobytes() for evidence in equal_models.seeds}
    pairs = {(evidence.challenger.tobytes(), evidence.champion.tobytes()) for evidence in equal_models.seeds}
    assert (len(models), len(pairs)) == (3, 6)
    assert all(ours != theirs for ours, theirs in pairs)


def test_the_pair_is_the_first_model_beside_another_one(equal_models: EqualModels) -> None:
    assert np.array_equal(equal_models.pair.challenger, equal_models.seeds[0].challenger)
    assert equal_models.pair.champion.tobytes() not in {
        evidence.challenger.tobytes() for evidence in equal_models.seeds
    }


def test_rows_and_facts_are_those_of_a_run(equal_models: EqualModels, split: tuple[Any, Any]) -> None:
    for evidence in (equal_models.pair, *equal_models.seeds):
        assert find_defects(evidence, clusters_required=True) == []
        assert evidence.holdout == equal_models.pair.holdout
        assert set(evidence.facts["features"]) == {"region", "a", "b", "c"}
        assert evidence.facts["champion"]["features"].keys() == evidence.facts["features"].keys()
        assert evidence.facts["model_bytes"] > 0
    assert equal_models.pair.train_row_hashes.size == len(split[0].train)


def test_the_same_seeds_give_the_same_scores(equal_models: EqualModels, settings: Settings) -> None:
    again = fit_equal_models(settings, seeds=3, report=lambda _: None)
    assert np.array_equal(again.pair.champion, equal_models.pair.champion)
    assert np.array_equal(again.seeds[-1].challenger, equal_models.seeds[-1].challenger)


def test_two_thirds_of_the_clusters_are_kept_whole(split: tuple[Any, Any]) -> None:
    rows, table = split
    drawn_rows = draw_training_rows(rows, table, lots=np.random.default_rng(1))
    days = dict(zip(table.row_ids, table.clusters, strict=True))
    day = np.array([days[row] for row in rows.train_row_ids])
    stays = {number: set(drawn_rows[day == number]) for number in set(day)}
    assert all(len(choices) == 1 for choices in stays.values())
    assert sum(choices == {True} for choices in stays.values()) == round(len(stays) * 2 / 3)


def test_rows_without_clusters_are_kept_one_by_one(split: tuple[Any, Any]) -> None:
    from dataclasses import replace

    rows, table = split
    drawn_rows = draw_training_rows(rows, replace(table, clusters=None), lots=np.random.default_rng(1))
    assert drawn_rows.sum() == round(len(rows.train) * 2 / 3)


def test_what_is_done_is_said(settings: Settings) -> None:
    messages: list[str] = []
    fit_equal_models(settings, seeds=2, report=messages.append)
    assert messages[0] == "reading orders"
    assert messages[1].endswith("types: {region: text, a: decimal, b: decimal, c: decimal, late: integer}")
    assert [line.split(" fitted")[0] for line in messages[3:]] == [f"xgb with seed {seed}" for seed in range(3)]
