"""What is said between braces, and in `depends` and `when`, as far as Metaflow's compiler says it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

Words = Mapping[str, str]


class CannotBeExecutedError(Exception):
    """Something in the template that this harness does not know."""


def may_start(task: Mapping[str, Any], done: set[str]) -> bool:
    """Whether all that a task depends on is done."""
    wanted = [word.strip() for word in (task.get("depends") or "").split("&&") if word.strip()]
    if any(not re.fullmatch(r"[A-Za-z0-9_-]+\.Succeeded", word) for word in wanted):
        raise CannotBeExecutedError(f"task {task['name']} depends on {task['depends']!r}")
    return {word.removesuffix(".Succeeded") for word in wanted} | set(task.get("dependencies") or ()) <= done


def holds(condition: str) -> bool:
    """Whether `A == B` or `A != B`; nothing holds."""
    if not condition:
        return True
    compared = re.fullmatch(r"\s*([\w-]*)\s*(==|!=)\s*([\w-]*)\s*", condition)
    if not compared:
        raise CannotBeExecutedError(f"when {condition!r}")
    return (compared[1] == compared[3]) is (compared[2] == "==")


def filled(text: str, words: Words) -> str:
    """`{{word}}` and `{{=toBase64(workflow.parameters['x'])}}`, as Argo fills them in: once, whatever is in a word."""

    def known(name: str, tag: str) -> str:
        if name not in words:
            raise CannotBeExecutedError(f"{tag} is none of {sorted(words)}")
        return words[name]

    def word(found: re.Match[str]) -> str:
        tag = found[0]
        if encoded := re.fullmatch(r"=toBase64\((workflow|inputs)\.parameters\['([^']+)'\]\)", found[1]):
            return base64.b64encode(known(f"{encoded[1]}.parameters.{encoded[2]}", tag).encode()).decode()
        return known(found[1].strip(), tag)

    return re.sub(r"\{\{(.*?)\}\}", word, text)
