from __future__ import annotations

from typing import Any

from django.db import models


class ExactField(models.DecimalField):  # type: ignore[type-arg]
    """A number of any scale, kept digit by digit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 1000, "decimal_places": 200} | kwargs)

    def db_type(self, connection: Any) -> str:
        return "numeric"
