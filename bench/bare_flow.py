"""What lockgate is compared with: the same table, model and holdout in a two-step flow without lockgate."""

import os

from metaflow import FlowSpec, step

FEATURES = ["carrier", "flight", "origin", "dest", "distance", "weekday", "hour", "minute"]


class BareFlow(FlowSpec):
    @step
    def start(self):  # noqa: ANN201 (a flow as people write it)
        import pandas as pd
        import xgboost

        table = pd.read_parquet(os.environ["BENCH_TABLE"])
        table = table[table["late"].notna()]
        month = pd.to_datetime(table["date"]).dt.month
        for name in ("carrier", "origin", "dest", "weekday"):
            table[name] = table[name].astype("category")
        train, held_out = table[month < 10], table[month == 10]
        parameters = {
            "objective": "binary:logistic",
            "max_depth": 4,
            "learning_rate": 0.15,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "min_child_weight": 1,
            "tree_method": "hist",
            "seed": 0,
        }
        rows = xgboost.DMatrix(train[FEATURES], label=train["late"].astype(float), enable_categorical=True)
        self.model = bytes(xgboost.train(parameters, rows, num_boost_round=250).save_raw("ubj"))
        self.held_out, self.label = held_out[FEATURES], held_out["late"].astype(float)
        self.next(self.end)

    @step
    def end(self):  # noqa: ANN201
        import xgboost
        from sklearn.metrics import log_loss

        booster = xgboost.Booster(model_file=bytearray(self.model))
        scores = booster.predict(xgboost.DMatrix(self.held_out, enable_categorical=True))
        self.loss = log_loss(self.label, scores)


if __name__ == "__main__":
    BareFlow()
