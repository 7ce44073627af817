"""A decision as bytes, and what is left of it once it is sealed."""

from __future__ import annotations

import hashlib
import json

import pytest
from pydantic import ValidationError

from lockgate import Decision


@pytest.fixture(scope="module")
def decision(make) -> Decision:
    return make.judge(make.checks["improvement"], make.evidence(), schedule={"kind": "fixed", "looks": 20})


def test_its_json_reads_back_as_the_same_decision(decision: Decision) -> None:
    text = decision.to_json()
    again = Decision.model_validate_json(text)
    assert (again, again.to_json()) == (decision, text)
    assert decision.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_key_that_it_does_not_have_is_refused(decision: Decision) -> None:
    with pytest.raises(ValidationError):
        Decision.model_validate({**json.loads(decision.to_json()), "note": ""})


def test_a_sealed_look_hides_what_depends_on_its_result(decision: Decision) -> None:
    look, sealed = decision.look, decision.seal().look
    assert (look.scheduled, look.number, len(look.holdouts)) == (True, 1, 1)
    assert (sealed.scheduled, sealed.number, sealed.repeated, sealed.holdouts) == (False, None, False, ())
    assert (sealed.key, sealed.of) == (look.key, look.of)
    assert decision.seal().seal() == decision.seal()
