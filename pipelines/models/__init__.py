"""The models that can be trained. A model is a file here, a line in `MODELS`, and a file in conf/model/."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from lockgate.gates.errors import ModelError
from lockgate.gates.foreign import convert_foreign
from lockgate.pipelines.models import baseline, hist_gb, logistic, skops_pipeline, xgb
from lockgate.pipelines.models.model import Fitted, Model

__all__ = ["FORMATS", "MODELS", "Fitted", "Model", "check_blob", "check_loadable", "load_model"]

MODELS: dict[str, Model] = {"baseline": baseline, "hist_gb": hist_gb, "logistic": logistic, "xgb": xgb}

SKOPS_TYPES: frozenset[str] = frozenset().union(*(getattr(model, "TYPES", ()) for model in MODELS.values()))
"""The types of scikit-learn, NumPy and Python that the models above are made of: no file may hold another."""

FORMATS: dict[str, Callable[[bytes], Fitted]] = {
    skops_pipeline.FORMAT: partial(skops_pipeline.load, types=SKOPS_TYPES),
    xgb.FORMAT: xgb.load,
}

_CHECKS: dict[str, Callable[[bytes], object]] = {
    skops_pipeline.FORMAT: partial(skops_pipeline.check, types=SKOPS_TYPES),
    xgb.FORMAT: xgb.check,
}


def check_blob(format: str, blob: bytes, *, sha256: str) -> None:  # noqa: A002 - what the artifact calls it
    """Raise ModelError if the format is unknown, or the digest of `blob` is not `sha256`. Nothing is parsed."""
    if format not in FORMATS:
        raise ModelError(f"{format!r} is not a model format", expected=f"one of {', '.join(FORMATS)}")
    digest = hashlib.sha256(blob).hexdigest()
    if digest != sha256:
        raise ModelError(
            f"the model's bytes have SHA-256 {digest}", expected=sha256, hint="they are not what was judged"
        )


def check_loadable(format: str, blob: bytes, *, sha256: str) -> None:  # noqa: A002
    """Raise ModelError as `load_model`, as far as that can be told without the libraries of the format."""
    check_blob(format, blob, sha256=sha256)
    check = _CHECKS[format]  # outside: a format without a check is a mistake here, and not of the bytes
    convert_foreign(lambda: check(blob), partial(_describe_unreadable, format))


def load_model(format: str, blob: bytes, *, sha256: str) -> Fitted:  # noqa: A002
    """The model in `blob`, which is not parsed before its digest is known to be `sha256`.

    Raises:
        ModelError: the format is unknown, the digest differs, or the bytes are not in that format.
    """
    check_blob(format, blob, sha256=sha256)
    return FORMATS[format](blob)


def _describe_unreadable(format: str, err: Exception) -> ModelError:  # noqa: A002
    """What a parser raised on somebody's bytes, as the error of a model."""
    return ModelError(f"these bytes are not {format}: {type(err).__name__}: {str(err)[:200]}")
