"""Results of promptfoo: what `promptfoo eval --output FILE.json` writes. Repeats of a test are its tries."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.gates.documents import parse_json
from lockgate.gates.errors import EvidenceError, printable
from lockgate.gates.foreign import show_foreign
from lockgate.pipelines.results.results import (
    MAX_DOCUMENT_BYTES,
    Result,
    Results,
    Selection,
    cannot_read,
    check_size,
    digest_file,
    list_names,
    parse_score,
    pick_names,
    unknown_name,
)

SCORE, PASS = "score", "pass"
"""What every result has: a number, and whether all assertions passed, as 1 or 0."""

_ERROR = 2  # the failure reason of a test that could not be run
_SHOWN = 60


def read_promptfoo(path: Path, selection: Selection) -> Results:
    """Results of one provider and prompt in a file of promptfoo.

    A test is known by its variables, its description and its assertions, so that its place in the file does not matter.

    Raises:
        EvidenceError: not a file of promptfoo, or a selection that does not fit.
    """
    where = str(path)
    every = _read_document(path)
    check_size(every, where=where)
    variants = _name_variants(every)
    variant = _choose_variant(list(dict.fromkeys(variants)), selection.variant, where=where)
    chosen = [result for result, name in zip(every, variants, strict=True) if name == variant]
    named = list(dict.fromkeys(name for result in chosen for name in _read_map(result, "namedScores")))
    score = selection.score or SCORE
    if score not in (SCORE, PASS, *named):
        raise unknown_name(score, [SCORE, PASS, *named], noun="score", option="--score", where=where)
    tries: Counter[str] = Counter()
    rows = []
    for result in sorted(chosen, key=_read_place):
        sample = _name_test(result)
        tries[sample] += 1
        rows.append(_read_result(result, sample, tries[sample], score, selection, where=where))
    return Results(where=where, sha256=digest_file(path), score=score, rows=tuple(rows), cluster=selection.cluster)


def _read_document(path: Path) -> list[Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            blob = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as err:
        raise cannot_read(path, err) from err
    if len(blob) > MAX_DOCUMENT_BYTES:
        raise EvidenceError("the file is too large", expected=f"at most {MAX_DOCUMENT_BYTES:,} bytes", where=str(path))
    try:
        document = parse_json(blob)
    except (ValueError, RecursionError) as err:
        raise EvidenceError(
            "the file is not JSON, or is cut off",
            expected="what `promptfoo eval --output FILE.json` writes",
            where=str(path),
        ) from err
    results = document.get("results") if isinstance(document, dict) else None
    every = results.get("results") if isinstance(results, dict) else None
    if not isinstance(every, list) or not all(isinstance(result, dict) and "testCase" in result for result in every):
        raise EvidenceError(
            "the file is no result of promptfoo",
            expected="what `promptfoo eval --output FILE.json` writes",
            where=str(path),
        )
    return every


def _read_map(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _read_place(result: Mapping[str, Any]) -> int:
    place = result.get("testIdx")
    return place if isinstance(place, int) else 0


def _name_variants(every: list[Mapping[str, Any]]) -> list[str]:
    """What each result is of: the provider, with the prompt where a provider has several."""
    pairs = []
    for result in every:
        provider = _read_map(result, "provider")
        prompt = _read_map(result, "prompt")
        name = provider.get("label") or provider.get("id") or "provider"
        pairs.append((str(name), str(prompt.get("label") or prompt.get("raw") or "")))
    prompts = Counter(provider for provider, _ in set(pairs))
    return [
        provider if prompts[provider] == 1 else f"{provider} / {printable(prompt)[:_SHOWN]}"
        for provider, prompt in pairs
    ]


def _choose_variant(variants: list[str], asked: str | None, *, where: str) -> str:
    if asked is not None:
        if asked not in variants:
            raise unknown_name(asked, variants, noun="provider or prompt", option="--variant", where=where)
        return asked
    if len(variants) > 1:
        raise EvidenceError(
            f"the file has results of {len(variants)} providers or prompts",
            expected=f"--variant with one of {list_names(variants)}",
            where=where,
        )
    return variants[0]


def _name_test(result: Mapping[str, Any]) -> str:
    """What a test is called: the beginning of its variables, and a digest of all that makes it this test."""
    case = _read_map(result, "testCase")
    identity = {name: case.get(name) for name in ("vars", "description", "assert")}
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    words = json.dumps(case.get("vars") or case.get("description") or {}, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{printable(words)[:_SHOWN]} {digest}"


def _read_result(
    result: Mapping[str, Any], sample: str, epoch: int, score: str, selection: Selection, *, where: str
) -> Result:
    if result.get("failureReason") == _ERROR:
        number: float | None = math.nan
    elif score == PASS:
        number = parse_score(result.get("success"))
    elif score == SCORE:
        number = parse_score(result.get("score"))
    else:
        number = parse_score(_read_map(result, "namedScores").get(score))
    title = f"test {sample!r}"
    if number is None:
        shown = show_foreign(result.get(score), max_chars=60)
        raise EvidenceError(f"the score of {title} is {shown}", expected="a number", where=where)
    case = _read_map(result, "testCase")
    metadata = {**_read_map(case, "vars"), **_read_map(case, "metadata")}
    return Result(
        sample=sample,
        epoch=str(epoch),
        score=number,
        problem="an error" if result.get("failureReason") == _ERROR else "no score",
        names=pick_names(metadata, selection, title=title, where=where),
        numbers={},
    )
