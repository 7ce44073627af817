"""The task of a model, which decides what labels and scores may be."""

from __future__ import annotations

from typing import Literal

Task = Literal["binary", "multiclass", "regression", "ranking", "score"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression", "ranking", "score")
QUERY_TASKS: frozenset[Task] = frozenset({"ranking", "score"})
"""Tasks whose rows of one query, a ranked list or the tries of one sample, depend on each other."""
