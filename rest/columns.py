"""A database column for exact numbers."""

from __future__ import annotations

from typing import Any

from django.db import models


class ExactDecimalField(models.DecimalField):  # type: ignore[type-arg]
    """An amount or quantity of any scale, stored digit by digit (PostgreSQL's `numeric`)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 1000, "decimal_places": 200} | kwargs)

    def db_type(self, connection: Any) -> str:
        return "numeric"
