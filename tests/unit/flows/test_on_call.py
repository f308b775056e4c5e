"""Each problem is fixed by typing the command that `reconcile` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.on_call import Shell, fleets, on_call

DOCUMENT = Path(__file__).parents[3] / "docs" / "on-call.md"
#: Where what is named first only leads to what is named next.
IN_TWO_ROUNDS = {"a worker was in Standby"}


@pytest.mark.parametrize("name", fleets())
def test_the_command_that_reconcile_names_fixes_it(name):
    harness = fleets()[name]()
    drill = on_call(name, lambda: list(harness.reconcile().values()), Shell(harness).type_in)
    print(drill)
    assert drill.is_fixed
    assert len(drill.rounds) == (2 if name in IN_TWO_ROUNDS else 1), drill
    assert not any("evidence-missing" in word for said, _ in drill.rounds for word in said)
    # docs/on-call.md says of each what it is found as.
    known = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"`{word.split('/')[1]}`" in known for said, _ in drill.rounds for word in said)
