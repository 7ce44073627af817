"""The models that can be trained. A model is a file here, a line in `MODELS`, and a file in conf/model/."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import baseline, hist_gb, logistic, skops_pipeline, xgb
from lockgate.pipelines.models.model import Fitted, Model

__all__ = ["FORMATS", "MODELS", "Fitted", "Model", "load_model"]

MODELS: dict[str, Model] = {"baseline": baseline, "hist_gb": hist_gb, "logistic": logistic, "xgb": xgb}

FORMATS: dict[str, Callable[[bytes], Fitted]] = {
    skops_pipeline.FORMAT: skops_pipeline.load,
    xgb.FORMAT: xgb.load,
}


def load_model(format: str, blob: bytes, *, sha256: str) -> Fitted:  # noqa: A002 - what the artifact calls it
    """The model in `blob`, which is not parsed before its digest is known to be `sha256`.

    Raises:
        ModelError: the format is unknown, the digest differs, or the bytes are not in that format.
    """
    if format not in FORMATS:
        raise ModelError(f"{format!r} is not a model format", expected=f"one of {', '.join(FORMATS)}")
    digest = hashlib.sha256(blob).hexdigest()
    if digest != sha256:
        raise ModelError(
            f"the model's bytes have SHA-256 {digest}", expected=sha256, hint="they are not what was judged"
        )
    return FORMATS[format](blob)
