"""The number of examples that Hypothesis tries: few in `make test`, many in `make test-thorough`."""

from __future__ import annotations

from hypothesis import settings

#: Of a law that names no number itself.
QUICK, THOROUGH = 30, 500


def examples(quick: int, *, thorough: int) -> int:
    """Return the `max_examples` of a law by the profile of this run."""
    return thorough if settings.get_current_profile_name() == "thorough" else quick
