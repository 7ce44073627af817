"""Source `breast_cancer`: 569 tumours, from scikit-learn, which ships them (UCI Breast Cancer Wisconsin)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.typing_columns import type_columns

if TYPE_CHECKING:
    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings
    from lockgate.pipelines.data.source import RawTable
    from lockgate.pipelines.data.text_stream import Report


def read_breast_cancer(
    data: DataSettings,
    files: Files,  # noqa: ARG001 - every source has the same signature
    columns: Sequence[str] | None,  # noqa: ARG001
    report: Report,  # noqa: ARG001
) -> RawTable:
    """30 measurements (float64, `mean_radius` …) and `diagnosis`, `malignant` or `benign`: 569 rows.

    Raises:
        DataError: a path, which this source has no use for.
    """
    import pyarrow as pa
    from sklearn.datasets import load_breast_cancer

    if data.path is not None:
        raise DataError(
            f"source breast_cancer reads no file, but path is {data.path!r}", expected="null", where="data.path"
        )
    bunch = load_breast_cancer(as_frame=True)
    diagnosis = bunch.target.map(dict(enumerate(map(str, bunch.target_names))))
    frame = bunch.data.rename(columns=lambda name: name.replace(" ", "_")).assign(diagnosis=diagnosis)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return type_columns(table, table.column_names, data, path="source breast_cancer")
