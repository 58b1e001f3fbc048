"""Test clocks."""

from __future__ import annotations

from django.db import models

from kernel.ids import new_id


def test_clock_id() -> str:
    return new_id("clk")


class TestClock(models.Model):
    """A clock that only moves when it is told to. Customers made with it live by it."""

    __test__ = False  # not a test, whatever its name says to a test runner

    id = models.CharField(max_length=30, primary_key=True, default=test_clock_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    now = models.DateTimeField()
    #: What its last advance could not bill: objects like those of a billing run.
    problems = models.JSONField(default=list, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.now:%Y-%m-%d %H:%M} UTC"
