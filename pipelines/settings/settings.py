"""Settings: conf/ and overrides, composed, validated once and frozen.

conf/ has one folder (a group) per choice. The owners of the gates own `gate`, `data`, `platform` and `store`; the
author of a challenger owns `model`, `train` and `experiment`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import rfc8785
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lockgate.gates.errors import SettingsError
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.mistakes import describe_mistake, locate
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import AUTHOR, PARTS, Category, Changed
from lockgate.pipelines.data import DataSettings, TrainSettings
from lockgate.pipelines.data.settings import RollingHoldout, check_as_of
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.settings.composition import compose_tree, compose_with_choices
from lockgate.pipelines.settings.groups import AUTHOR_GROUPS, CONF_VARIABLE, GUARDED_GROUPS
from lockgate.pipelines.settings.platform import KeySettings, PlatformSettings
from lockgate.pipelines.settings.scope import find_conf
from lockgate.pipelines.stores import STORES
from lockgate.pipelines.stores.settings import StoreSettings

if TYPE_CHECKING:
    from lockgate.pipelines.settings.overrides import VettedOverride


_RULES = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ModelSettings(BaseModel):
    """The name of a model, and its parameters, which the model's own file declares."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str

    @cached_property
    def params(self) -> BaseModel:
        """The model's own parameters, validated when they are first asked for. Raises pydantic's ValidationError."""
        return MODELS[self.name].Params.model_validate(self.model_extra or {})


class Settings(BaseModel):
    """The composed configuration that flows get. It has no policy: the judge composes that itself."""

    model_config = _RULES
    data: Annotated[DataSettings, PARTS]
    as_of: Annotated[str, Changed(Category.HOLDOUT)]  # a period of `data.period`, or `latest`
    seed: Annotated[int, Field(ge=0, lt=2**31), Changed(Category.DEFAULT)]
    train: Annotated[TrainSettings, AUTHOR]
    model: Annotated[ModelSettings, AUTHOR]
    platform: Annotated[PlatformSettings, PARTS]
    store: Annotated[StoreSettings, PARTS]

    @model_validator(mode="before")
    @classmethod
    def _as_of_table(cls, tree: Any) -> Any:
        """`as_of: null` means what conf/data says of the table."""
        if not isinstance(tree, dict) or tree.get("as_of", "") is not None or not isinstance(tree.get("data"), dict):
            return tree
        return {**tree, "as_of": tree["data"].get("as_of")}

    @field_validator("as_of")
    @classmethod
    def _names_period(cls, value: str, info: ValidationInfo) -> str:
        return check_as_of(value, info.data["data"].period) if "data" in info.data else value

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Settings:
        """Validate plain values. Raises SettingsError with every mistake found.

        Each process calls this once, where the values enter it: `compose` in a command, the first line of a step in a
        flow. Everything behind takes `Settings`, which is valid.
        """
        try:
            settings = cls.model_validate(dict(mapping))
        except ValidationError as err:
            raise settings_error(err, cls) from err
        _check_params(settings.model)
        _check_params(settings.store)
        try:
            settings.to_json()
        except ValueError as err:
            raise SettingsError(
                f"a value cannot be written as JSON: {ascii(str(err))[:160]}", where="settings"
            ) from err
        return settings

    def to_json(self) -> str:
        """Canonical JSON, for a Metaflow Config."""
        return rfc8785.dumps(self.model_dump(mode="json")).decode()

    @property
    def project(self) -> str:
        return self.data.project

    @property
    def log_root(self) -> str:
        return self.platform.log_root

    @property
    def keys(self) -> KeySettings:
        return self.platform.keys

    @property
    def servable(self) -> Literal["here", "elsewhere"]:
        return self.platform.servable

    @property
    def digest(self) -> str:
        """SHA-256 of `to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


class Composed(BaseModel):
    """What a command line asks for."""

    model_config = ConfigDict(frozen=True)
    settings: Settings
    policy: Policy
    guarded: tuple[str, ...]  # overrides of groups that the owners of the gates own
    choices: Mapping[str, str]  # the chosen file of each group

    def check_fit(self) -> None:
        """Raise PolicyError where no run on this table could be judged by this policy: nothing need be trained."""
        data = self.settings.data
        table = DeclaredTable(
            task=data.task,
            slices=data.slices,
            has_clusters=data.cluster is not None,
            periods=data.holdout.periods if isinstance(data.holdout, RollingHoldout) else 0,
        )
        self.policy.check_fit(table)


def compose(
    overrides: Sequence[str] = (),
    *,
    trusted: bool = False,
    config: str = "config",
    conf: Path | None = None,
    parse_policy: Callable[[Any], Policy] = Policy.parse,
) -> Composed:
    """Compose conf/ with `overrides` of the forms `group=choice` and `group.key=value`.

    Args:
        overrides: of the user, in any order.
        trusted: whether lockgate itself chose the overrides, so that none of them counts as `guarded`.
        config: the file of conf/ to compose: `config`, or `production` for what is deployed.
        conf: the directory; by default that of the project, `find_conf()`.
        parse_policy: `read_archived` for a conf/ that an older version went by, which may lack keys.

    Raises:
        SettingsError: there is no configuration, an override is not plain or names something unknown, or a value has
            the wrong type.
        PolicyError: the policy cannot be read.
    """
    from lockgate.pipelines.settings.overrides import vet_overrides

    conf = conf or find_conf()
    if not (conf / f"{config}.yaml").is_file():
        raise SettingsError(
            "no configuration",
            expected=f"a file {config}.yaml",
            where=str(conf),
            hint=f"{CONF_VARIABLE} names this directory" if os.environ.get(CONF_VARIABLE) else "",
        )
    changes = vet_overrides(overrides, conf, config)
    tree, choices = compose_with_choices(conf, [change.text for change in changes], config)
    if (reaching := _find_reaching_files(conf, choices)) and (
        touched := _find_touched_groups(tree, conf, changes, choices, config)
    ):
        raise SettingsError(
            f"{' or '.join(reaching)} changes {', '.join(touched)}",
            expected="changes of model and train only",
            where=", ".join(change.text for change in changes if change.key in AUTHOR_GROUPS) or f"{config}.yaml",
        )
    _check_plain(tree, "")
    guarded = tuple(change.text for change in changes if change.key.partition(".")[0] in GUARDED_GROUPS)
    policy = parse_policy(tree.pop("gate", None))
    return Composed(
        settings=Settings.parse(tree),
        policy=policy,
        guarded=() if trusted else guarded,
        choices=choices,
    )


def can_reach_other_files(file: bytes) -> bool:
    """Whether this file can make Hydra read other files, or can set values outside its own group."""
    return any(word in file for word in (b"@package", b"defaults", b"\\"))  # an escape can spell either


def _find_reaching_files(conf: Path, choices: Mapping[str, str]) -> list[str]:
    """The chosen files of `AUTHOR_GROUPS` that could change more than their own group."""
    chosen = [f"{group}/{choices[group]}.yaml" for group in AUTHOR_GROUPS if choices.get(group, "None") != "None"]
    return [f"conf/{file}" for file in chosen if can_reach_other_files((conf / file).read_bytes())]


def _find_touched_groups(
    tree: Mapping[str, Any], conf: Path, changes: Sequence[VettedOverride], choices: Mapping[str, str], config: str
) -> list[str]:
    """The owners' groups and keys whose values differ because of the author's files."""
    remaining = [change.text for change in changes if change.key.partition(".")[0] not in AUTHOR_GROUPS]
    plain, _ = compose_with_choices(
        conf, [*remaining, *(f"~{group}" for group in AUTHOR_GROUPS if group in choices)], config
    )
    return [group for group in (*GUARDED_GROUPS, "as_of", "seed") if tree.get(group) != plain.get(group)]


def compose_group(
    group: str, choice: str, conf: Path, *, parse_policy: Callable[[Any], Policy] = Policy.parse
) -> BaseModel | dict[str, Any]:
    """One file of a group that the gates' owners own, parsed; as a plain tree if a value in it is `???`.

    parse_policy: as `compose`.

    Raises:
        SettingsError, PolicyError: as `compose`.
    """
    from lockgate.pipelines.settings.overrides import vet_overrides

    changes = vet_overrides([f"{group}={choice}"], conf)
    tree = compose_tree(conf, [change.text for change in changes], "config").get(group)
    if not isinstance(tree, dict):
        raise SettingsError(f"{group} is not a mapping", where=f"{group}={choice}")
    if "???" in _list_leaves(tree):
        return tree
    _check_plain(tree, group)
    return parse_policy(tree) if group == "gate" else _GROUP_PARSERS[group](tree)


def find_foreign_changes(group: str, choice: str, conf: Path) -> list[str]:
    """What a file of `AUTHOR_GROUPS` changes that its author does not own; empty if it does not compose."""
    from lockgate.pipelines.settings.overrides import vet_overrides

    try:
        changes = vet_overrides([f"{group}={choice}"], conf)
        tree, choices = compose_with_choices(conf, [change.text for change in changes], "config")
        return (
            _find_touched_groups(tree, conf, changes, choices, "config") if _find_reaching_files(conf, choices) else []
        )
    except SettingsError:
        return []


def _list_leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        return [
            leaf for child in (value.values() if isinstance(value, dict) else value) for leaf in _list_leaves(child)
        ]
    return [value]


def _make_parser(kind: type[BaseModel], group: str) -> Callable[[Mapping[str, Any]], BaseModel]:
    def parse(tree: Mapping[str, Any]) -> BaseModel:
        try:
            settings = kind.model_validate(dict(tree))
        except ValidationError as err:
            raise settings_error(err, kind, under=group) from err
        if isinstance(settings, StoreSettings):
            _check_params(settings)
        return settings

    return parse


_GROUP_PARSERS: dict[str, Callable[[Mapping[str, Any]], BaseModel]] = {
    "data": _make_parser(DataSettings, "data"),
    "platform": _make_parser(PlatformSettings, "platform"),
    "store": _make_parser(StoreSettings, "store"),
}


def _check_plain(value: Any, path: str) -> None:
    """Raise SettingsError for an interpolation, a key such as `_target_`, or `???`: conf/ holds plain values only."""
    if isinstance(value, dict):
        for key, child in value.items():
            dotted = f"{path}.{key}".lstrip(".")
            if str(key).startswith("_"):
                raise SettingsError(f"{key!r} is not allowed", expected="plain keys", where=dotted)
            _check_plain(child, dotted)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_plain(child, f"{path}[{index}]")
    elif isinstance(value, str):
        if value == "???":
            raise SettingsError("nothing given", expected="a value", where=path, hint=f"give {path}=…")
        if re.search(r"\$\{", value):
            raise SettingsError("interpolation is not allowed", expected="a plain value", where=path)


def _check_params(choice: ModelSettings | StoreSettings) -> None:
    """Validate the parameters of a chosen model or store; `choice.params` keeps them, so that nobody does it again."""
    registry: Mapping[str, Any]
    if isinstance(choice, ModelSettings):
        group, key, name, registry = "model", "name", choice.name, MODELS
    else:
        group, key, name, registry = "store", "kind", choice.kind, STORES
    if name not in registry:
        raise SettingsError(
            f"unknown {group} {name!r}", expected=f"one of {', '.join(registry)}", where=f"{group}.{key}"
        )
    try:
        _ = choice.params
    except ValidationError as err:
        raise settings_error(err, registry[name].Params, under=group) from err


def settings_error(err: ValidationError, schema: type[BaseModel], *, under: str = "") -> SettingsError:
    """Every mistake that pydantic found, as one error. `under`: the key that the values stand under."""
    core = TypeAdapter(schema).core_schema
    lines = [
        describe_mistake(detail, locate(detail["loc"], core), where=under) for detail in err.errors(include_url=False)
    ]
    return SettingsError(" | ".join(dict.fromkeys(lines)))
