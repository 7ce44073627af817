"""What the flows of test_flows.py import: scores of 300 rows by models that are one number each."""

from __future__ import annotations

from typing import Any

import numpy as np

import lockgate

LABEL = (np.random.default_rng(0).random(300) < 0.4).astype(float)


def score(model: bytes) -> Any:
    """The greater the number, the better."""
    noise = np.random.default_rng(1).normal(0, 0.1, len(LABEL))
    return np.clip(0.4 + float(model) * (LABEL - 0.5) + noise, 0.01, 0.99)


def give(strength: float, **changes: Any) -> None:
    """The evidence of a model of this strength, beside the champion."""
    champion, model = lockgate.champion("churn"), str(strength).encode()
    given = {
        "row_id": np.arange(len(LABEL)) + 5000,
        "label": LABEL,
        "challenger": score(model),
        "champion": champion and score(champion.model),
        "model": model,
        "format": "strength",
    }
    lockgate.evidence(**(given | changes))
