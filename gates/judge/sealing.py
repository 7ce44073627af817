"""A commitment to outcomes that are not shown."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import numpy as np
import rfc8785

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.records.decision import Binding
from lockgate.gates.records.outcome import Outcome, Ruling


def commitment(evidence: Evidence, binding: Binding, verdict: Ruling, outcomes: Sequence[Outcome]) -> str:
    """HMAC-SHA-256 (RFC 2104) of the verdict, the outcomes and what they are about, as canonical JSON, in hexadecimal.

    A plain digest would not hide them: an accuracy on 200 rows has 201 values, which are soon tried. The key is made
    of the labels, in order of row id. So whoever holds the evidence can judge it again and compare, nothing need be
    kept secret beside it, and judging stays a function of its arguments; who does not hold it would have to guess
    every label at once. Few rows, or labels that hardly vary, are guessed all the same: below about 100 bits
    (100 rows of even labels, 1,300 rows with 1 % of positives) it hides no more than the digest of the holdout does.

    What is bound, the digest of the challenger's scores with it, makes every challenger's commitment another. Without
    it one would see which challengers have equal outcomes, and so, row by row, where their labels are equal.
    """
    label = np.ascontiguousarray(evidence.label + 0.0, "<f8").tobytes()  # a label of -0 is a 0
    key = hashlib.sha256(b"lockgate sealed outcomes\n" + label).digest()
    about = binding.model_dump(mode="json")
    told = {"about": about, "verdict": verdict.value, "outcomes": [one.model_dump(mode="json") for one in outcomes]}
    return hmac.new(key, rfc8785.dumps(told), hashlib.sha256).hexdigest()
