"""The keys of conf/platform/*.yaml: where, when and with which resources flows run, and which log they follow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lockgate.gates.strictness import (
    PARTS,
    RUNNING,
    Category,
    Changed,
    Direction,
    Finding,
    Members,
    Named,
    Place,
    Ranked,
    lower,
    make_finding,
)
from lockgate.pipelines.settings.environment import belongs_to_judge

_RULES = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

_DIGEST = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,254}@sha256:[0-9a-f]{64}")
_CRON_FIELD = r"[0-9A-Za-z*/,?#-]+"
_CRON = re.compile(rf"{_CRON_FIELD}( {_CRON_FIELD}){{4}}")
_ROOT = re.compile(r"(s3|gs|az|file)://[^\s?#@]+")
_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|credential|auth")


def _image(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise ValueError(f"got {value[:80]!r}; expected an image by digest, NAME@sha256:…: a tag can be moved")
    return value


def _cron(value: str) -> str:
    if not _CRON.fullmatch(value):
        raise ValueError(f"got {value[:80]!r}; expected five fields of cron, as in '17 5 * * *'")
    return value


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ValueError(f"got {value[:80]!r}; expected a time zone, as in UTC or Europe/Berlin") from err
    return value


def parse_root(value: str) -> str:
    """An address without a slash at its end, or `datastore`. Raises ValueError for anything else.

    A folder has an absolute path: a relative one would be another folder wherever a command runs.
    """
    if value.startswith("file://") and not value.startswith("file:///"):
        raise ValueError(f"got {value[:80]!r}; expected an absolute path, as in file:///logs")
    if value != "datastore" and not _ROOT.fullmatch(value):
        raise ValueError(f"got {value[:80]!r}; expected datastore, or an address such as s3://bucket/prefix")
    return value.rstrip("/")


def _data_root(value: str) -> str:
    return value if value == "project" else parse_root(value)


KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
KubernetesNames = Annotated[tuple[KubernetesName, ...], Field(strict=False)]
Cron = Annotated[str, AfterValidator(_cron)]


_TRUST = Changed(Category.TRUST)
_CODE = Changed(Category.CODE, why="pods may run other code, or run it differently")
_VARIABLES = Changed(
    Category.CODE, why="flows may run other code, run it differently, or get a secret of the machine that starts them"
)
_DATA = Changed(Category.HOLDOUT, why="tables are read from another place")
OTHER_LOG = Changed(Category.LOOKS, why="another log, in which no look was taken and no model reigns")


class TrustedKeys:
    """One more key is weaker, one less is tighter. Without any judge's key entries are unsigned, which is weaker."""

    _rule = Named(
        Category.TRUST,
        added=Direction.WEAKER,
        removed=Direction.TIGHTER,
        added_why="whoever holds this key can now sign entries of the log: a judge promotions, an approver waivers",
        removed_why="what this key signs no longer counts",
    )

    def compare(
        self, before: Mapping[str, TrustedKey], after: Mapping[str, TrustedKey], place: Place
    ) -> Iterator[Finding]:
        yield from self._rule.compare(before, after, place)
        judges = [{name for name, key in keys.items() if key.role == "judge"} for keys in (before, after)]
        if judges[0] and not judges[1]:
            why = "no judge's key is left: entries of the log are no longer signed"
            yield make_finding(Category.TRUST, Direction.WEAKER, place.where, sorted(judges[0]), [], why)


KeyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_FORMER_NAMES = Members(Category.TRUST, added=Direction.WEAKER, removed=Direction.TIGHTER)


class TrustedKey(BaseModel):
    """A public key whose signatures count in the promotion log."""

    model_config = _RULES
    role: Annotated[Literal["judge", "approver"], _TRUST]
    key: Annotated[str, Field(min_length=1, max_length=400), _TRUST]  # ssh-ed25519 AAAA…
    # the last entry of the log that it may have signed; None while it is in use
    last_entry: Annotated[Annotated[int, Field(ge=1)] | None, lower(Category.TRUST)]
    # its former names, each with the last entry of the log that was signed under it
    formerly: Annotated[Mapping[KeyName, Annotated[int, Field(ge=1)]], _FORMER_NAMES] = {}


_SIGNED = Ranked(Category.TRUST, (False, True), "an unsigned log is accepted")
_PRIVATE = Ranked(Category.TRUST, ("any", "environment"), "a private key may be read from a file")


class KeySettings(BaseModel):
    """Signatures of the promotion log. Without a judge's key entries are unsigned, or refused if `required`."""

    model_config = _RULES
    required: Annotated[bool, _SIGNED]  # whether an unsigned log is refused
    private: Annotated[
        Literal["any", "environment"], _PRIVATE
    ]  # where the private key may come from; a file suits one machine only
    trusted: Annotated[Mapping[KeyName, TrustedKey], TrustedKeys()]


class Schedule(BaseModel):
    """When flows start by themselves, as cron expressions; None: they do not."""

    model_config = _RULES
    evaluate: Annotated[Cron | None, RUNNING]
    predict: Annotated[Cron | None, RUNNING]
    timezone: Annotated[str, AfterValidator(_zone), RUNNING]


class Secrets(BaseModel):
    """Kubernetes secrets whose keys become environment variables of a flow's pods. Names, never values."""

    model_config = _RULES
    evaluate: Annotated[KubernetesNames, _TRUST]
    promote: Annotated[KubernetesNames, _TRUST]  # the only one that needs the signing key
    predict: Annotated[KubernetesNames, _TRUST]


_SERVABLE = Ranked(Category.WAIVER, ("elsewhere", "here"), "a model that Predict cannot load may be promoted")


class PlatformSettings(BaseModel):
    """Where, when and with which resources flows run, and which promotion log they follow."""

    model_config = _RULES
    kind: Annotated[Literal["local", "argo", "outerbounds"], Changed(Category.DEFAULT)]
    image: Annotated[Annotated[str, AfterValidator(_image)] | None, _CODE]
    data_root: Annotated[str, AfterValidator(_data_root), _DATA]
    log_root: Annotated[str, AfterValidator(parse_root), OTHER_LOG]
    retries: Annotated[int, Field(ge=0, le=20), RUNNING]
    retry_minutes: Annotated[int, Field(ge=0, le=60), RUNNING]
    timeout_minutes: Annotated[int, Field(ge=1, le=10_080), RUNNING]
    cpu: Annotated[int, Field(ge=1, le=1024), RUNNING]
    memory_mb: Annotated[int, Field(ge=256, le=2**24), RUNNING]
    shards: Annotated[int, Field(ge=1, le=1000), RUNNING]
    batch_rows: Annotated[int, Field(ge=1, le=10**8), RUNNING]
    # here: only what Predict can load is promoted; elsewhere: whoever serves says what can be served
    servable: Annotated[Literal["here", "elsewhere"], _SERVABLE]
    schedule: Annotated[Schedule, PARTS]
    events: Annotated[bool, RUNNING]
    namespace: Annotated[KubernetesName | None, _TRUST]
    service_account: Annotated[KubernetesName | None, _TRUST]
    secrets: Annotated[Secrets, PARTS]
    # None: take the value of the machine that starts the flow; pods get theirs from secrets
    environment: Annotated[Mapping[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")], str | None], _VARIABLES]
    keys: Annotated[KeySettings, PARTS]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, value in self.environment.items():
            if belongs_to_judge(name):
                raise ValueError(
                    f"environment.{name} belongs to the judge: no flow that runs a model's code may have it"
                )
            if value is None and self.kind != "local":
                raise ValueError(
                    f"environment.{name} is null, but pods have no value of their own: give one, or use secrets"
                )
            if value is not None and _SECRET_NAME.search(name):
                raise ValueError(
                    f"environment.{name} looks like a secret: put it into a Kubernetes secret, see secrets; or, if"
                    " kind is local, give null to take it from this machine"
                )
        if self.kind != "local" and self.data_root == "project":
            raise ValueError("data_root is project, but pods have no project folder: use datastore or an address")
        return self
