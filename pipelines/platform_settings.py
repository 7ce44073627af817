"""What conf/platform/*.yaml may say: where flows run, with what, when, and whose promotions they follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

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


def _address(value: str) -> str:
    if value != "datastore" and not _ROOT.fullmatch(value):
        raise ValueError(f"got {value[:80]!r}; expected datastore, or an address such as s3://bucket/prefix")
    return value.rstrip("/")


def _data_root(value: str) -> str:
    return value if value == "project" else _address(value)


Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]  # of a Kubernetes object
Names = Annotated[tuple[Name, ...], Field(strict=False)]
Cron = Annotated[str, AfterValidator(_cron)]


class TrustedKey(BaseModel):
    """Whose signature counts in the promotion log, and for what."""

    model_config = _RULES
    role: Literal["judge", "approver"]
    key: Annotated[str, Field(min_length=1, max_length=400)]  # ssh-ed25519 AAAA…
    last_entry: Annotated[int, Field(ge=1)] | None  # of the log, that it may have signed; None while it is in use


class KeySettings(BaseModel):
    """Signatures of the promotion log. Without a judge's key entries are unsigned, unless they must not be."""

    model_config = _RULES
    required: bool  # whether an unsigned log is refused
    private: Literal["any", "environment"]  # where the private key may come from: a file is for one machine
    trusted: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], TrustedKey]


class Schedule(BaseModel):
    """When flows start by themselves."""

    model_config = _RULES
    evaluate: Cron | None
    predict: Cron | None
    timezone: Annotated[str, AfterValidator(_zone)]


class Secrets(BaseModel):
    """Kubernetes secrets whose keys become environment variables of a flow's pods. Names, never values."""

    model_config = _RULES
    evaluate: Names
    promote: Names  # the only one that needs the signing key
    predict: Names


class PlatformSettings(BaseModel):
    """Where flows run, with what, when, and whose promotions they follow."""

    model_config = _RULES
    kind: Literal["local", "argo", "outerbounds"]
    image: Annotated[str, AfterValidator(_image)] | None
    data_root: Annotated[str, AfterValidator(_data_root)]
    log_root: Annotated[str, AfterValidator(_address)]
    retries: Annotated[int, Field(ge=0, le=20)]
    retry_minutes: Annotated[int, Field(ge=0, le=60)]
    timeout_minutes: Annotated[int, Field(ge=1, le=10_080)]
    cpu: Annotated[int, Field(ge=1, le=1024)]
    memory_mb: Annotated[int, Field(ge=256, le=2**24)]
    shards: Annotated[int, Field(ge=1, le=1000)]
    batch_rows: Annotated[int, Field(ge=1, le=10**8)]
    schedule: Schedule
    events: bool
    namespace: Name | None
    service_account: Name | None
    secrets: Secrets
    environment: Mapping[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")], str]
    keys: KeySettings

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name in self.environment:
            if _SECRET_NAME.search(name):
                raise ValueError(
                    f"environment.{name} looks like a secret: put it into a Kubernetes secret, see secrets"
                )
        if self.kind != "local" and self.data_root == "project":
            raise ValueError("data_root is project, which pods do not have: datastore, or an address")
        return self
