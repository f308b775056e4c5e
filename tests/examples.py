"""How many examples a property test tries, by the profile that `DEPLOYCTL_TEST_PROFILE` names.

`suite` (the default) tries the same few each time; `soak` tries many, others each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

PROFILE_VARIABLE = "DEPLOYCTL_TEST_PROFILE"
SUITE, SOAK = "suite", "soak"


def load_profile() -> None:
    """Raises: KeyError for a profile that is neither."""
    settings.register_profile(SUITE, max_examples=25, derandomize=True, deadline=None, database=None)
    settings.register_profile(SOAK, max_examples=2_000, derandomize=False, deadline=None, print_blob=True)
    settings.load_profile({SUITE: SUITE, SOAK: SOAK}[profile()])


def profile() -> str:
    return os.environ.get(PROFILE_VARIABLE) or SUITE


def examples(*, suite: int, soak: int, **more: Any) -> Callable[[Any], Any]:
    """Hypothesis' settings with so many examples in each profile, and `more` of them in both."""
    return settings(max_examples={SUITE: suite, SOAK: soak}[profile()], **more)
