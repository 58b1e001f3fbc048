from __future__ import annotations

from django.db import models


class SenderLease(models.Model):
    """Who is sending now, and until when nobody else may: a killed sender's place is free once that is over."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=40)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
