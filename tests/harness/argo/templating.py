"""What is said between braces, and in `depends` and `when`, as far as Metaflow's compiler says it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

Words = Mapping[str, str]


class CannotBeExecutedError(Exception):
    """Something in the template that this harness does not know."""


def may_start(task: Mapping[str, Any], finished: set[str]) -> bool:
    """Whether all that a task depends on is done."""
    conditions = [word.strip() for word in (task.get("depends") or "").split("&&") if word.strip()]
    if any(not re.fullmatch(r"[A-Za-z0-9_-]+\.Succeeded", word) for word in conditions):
        raise CannotBeExecutedError(f"task {task['name']} depends on {task['depends']!r}")
    return {word.removesuffix(".Succeeded") for word in conditions} | set(task.get("dependencies") or ()) <= finished


def holds(condition: str) -> bool:
    """Whether `A == B` or `A != B`; nothing holds."""
    if not condition:
        return True
    compared = re.fullmatch(r"\s*([\w-]*)\s*(==|!=)\s*([\w-]*)\s*", condition)
    if not compared:
        raise CannotBeExecutedError(f"when {condition!r}")
    return (compared[1] == compared[3]) is (compared[2] == "==")


def fill_in(text: str, words: Words) -> str:
    """`{{word}}` and `{{=toBase64(workflow.parameters['x'])}}`, as Argo fills them in: once, whatever is in a word."""

    def look_up(name: str, tag: str) -> str:
        if name not in words:
            raise CannotBeExecutedError(f"{tag} is none of {sorted(words)}")
        return words[name]

    def replace_tag(match: re.Match[str]) -> str:
        tag = match[0]
        if encoded := re.fullmatch(r"=toBase64\((workflow|inputs)\.parameters\['([^']+)'\]\)", match[1]):
            return base64.b64encode(look_up(f"{encoded[1]}.parameters.{encoded[2]}", tag).encode()).decode()
        return look_up(match[1].strip(), tag)

    return re.sub(r"\{\{(.*?)\}\}", replace_tag, text)
