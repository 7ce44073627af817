"""The task of a model, which decides what labels and scores may be."""

from __future__ import annotations

from typing import Literal

Task = Literal["binary", "multiclass", "regression", "ranking"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression", "ranking")
