from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

CONF = Path(__file__).parents[3] / "conf" / "model"


@pytest.fixture(scope="session")
def conf():
    """A model's hyperparameters as conf/model/ ships them, but few rounds unless a test asks for more."""

    def read_params(name: str, **changes: Any) -> dict[str, Any]:
        shipped = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
        assert shipped.pop("name") == name
        few = {key: 20 for key in ("trees",) if key in shipped} | ({"max_iter": 20} if name == "hist_gb" else {})
        return shipped | few | changes

    return read_params


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    """400 rows with text and numbers, some of them missing; destinations b, d and f, so that others are unseen."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "dest": pd.Series(rng.choice(["b", "d", "f"], 400), dtype="str"),
            "hour": rng.integers(5, 24, 400).astype(float),
            "carrier": pd.Series(rng.choice(["UA", "B6"], 400), dtype="str"),
            "distance": rng.uniform(100, 3000, 400),
        }
    )
    frame.loc[rng.random(400) < 0.1, "dest"] = None
    frame.loc[rng.random(400) < 0.1, "distance"] = None
    return frame


@pytest.fixture(scope="session")
def labels(rows) -> dict[str, np.ndarray]:
    effect = rows["hour"].to_numpy() / 10 + (rows["dest"] == "f").to_numpy() * 2.0
    noise = np.random.default_rng(8).normal(size=400)
    return {"binary": (effect + noise > 2.2).astype(float), "regression": effect + noise}
