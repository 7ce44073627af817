"""Source `breast_cancer`: 569 tumours, from scikit-learn, which ships them (UCI Breast Cancer Wisconsin)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings


def read_breast_cancer(data: DataSettings, files: Files) -> pd.DataFrame:  # noqa: ARG001 - every source has the same signature
    """30 measurements (float64, `mean_radius` …) and `diagnosis`, `malignant` or `benign`: 569 rows.

    Raises:
        DataError: a path, which this source has no use for.
    """
    from sklearn.datasets import load_breast_cancer

    if data.path is not None:
        raise DataError(
            f"source breast_cancer reads no file, but path is {data.path!r}", expected="null", where="data.path"
        )
    bunch = load_breast_cancer(as_frame=True)
    frame: pd.DataFrame = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
    return frame.assign(diagnosis=bunch.target.map(dict(enumerate(map(str, bunch.target_names)))))
