"""A server that hands bytes to libraries as they are: what the limits of processes are worth where no check helps.

`bare_server.py FD MODE FORMAT…` has two formats more, `bare-ubj` and `bare-skops`.
"""

from __future__ import annotations

import skops.io

from lockgate.pipelines.models import FORMATS, bare_xgboost, raw, xgb
from lockgate.pipelines.models.skops_pipeline import FittedPipeline
from lockgate.pipelines.scoring.confined_server import main

TRUSTED = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)


class BareXgb:
    """Numbers and codes, as many as the model says that it has, in any order."""

    columns = ("x",)

    def __init__(self, blob: bytes) -> None:
        self.booster = bare_xgboost.Booster(model_file=bytearray(blob))
        self.booster.set_param({"nthread": 1})

    def score(self, frame):
        layout = xgb.Layout(
            version=1,
            columns=list(frame.columns),
            vocabularies={n: ["b", "d", "f"] for n in raw.list_text_columns(frame)},
        )
        return self.booster.inplace_predict(layout.matrix(frame), validate_features=False)


FORMATS["bare-ubj"] = BareXgb
FORMATS["bare-skops"] = lambda blob: FittedPipeline(skops.io.loads(blob, trusted=list(TRUSTED)))
main()
