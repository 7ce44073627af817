"""A cryptographic commitment to outcomes that are not disclosed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import numpy as np
import rfc8785

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.records.decision import Binding
from lockgate.gates.records.outcome import Outcome, Ruling


def compute_commitment(evidence: Evidence, binding: Binding, verdict: Ruling, outcomes: Sequence[Outcome]) -> str:
    """HMAC-SHA-256 (RFC 2104) of the binding, the verdict and the outcomes as canonical JSON, in hexadecimal.

    A plain digest would not hide them: an accuracy on 200 rows has 201 possible values, which are quickly tried. The
    key is derived from the labels in order of row id. So whoever holds the evidence can judge it again and compare, no
    further secret has to be kept, and judging stays a function of its arguments. Anybody else would have to guess all
    labels at once. Few rows, or labels that hardly vary, can be guessed: below about 100 bits (100 rows of balanced
    labels, 1,300 rows with 1 % of positives) it hides no more than the digest of the holdout does, nor for task
    score, which has no labels.

    The binding includes the digest of the challenger's scores, so no two challengers have the same commitment.
    Otherwise equal commitments would show which challengers have equal outcomes and thus, row by row, equal labels.
    """
    label = np.ascontiguousarray(evidence.label + 0.0, "<f8").tobytes()  # + 0.0 turns a label of -0 into 0
    key = hashlib.sha256(b"lockgate sealed outcomes\n" + label).digest()
    bound = binding.model_dump(mode="json")
    contents = {
        "about": bound,
        "verdict": verdict.value,
        "outcomes": [outcome.model_dump(mode="json") for outcome in outcomes],
    }
    return hmac.new(key, rfc8785.dumps(contents), hashlib.sha256).hexdigest()
