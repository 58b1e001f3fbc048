"""Tasks given to the runtime, and the attempts at them. What was done stands in the event log."""

from __future__ import annotations

from django.db import models

from agents.models.catalogue import AgentVersion


class TaskState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class Task(models.Model):
    """A task for one of our agents. `task_id` is what its events name; the outcome is set once, with them."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    task_id = models.CharField(max_length=200)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT)
    customer = models.CharField(max_length=255)
    input = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=TaskState.choices, default=TaskState.QUEUED)
    outcome = models.CharField(max_length=20, blank=True)
    problem = models.CharField(max_length=200, blank=True, help_text="why it ended without the agent's doing")
    due_at = models.DateTimeField(help_text="not to be worked before")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "task_id"], name="task_id_unique")]
        indexes = [
            models.Index(fields=["due_at"], name="task_due", condition=models.Q(state__in=["queued", "running"]))
        ]

    def __str__(self) -> str:
        return self.task_id


class AttemptState(models.TextChoices):
    RUNNING = "running"
    FINISHED = "finished"
    #: The platform failed, not the agent: its work is recorded as discarded and billed to nobody.
    DISCARDED = "discarded"


class TaskAttempt(models.Model):
    """One try at a task. `events` is what it has recorded so far, kept here turn by turn until it is sent."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attempts")
    number = models.SmallIntegerField()
    state = models.CharField(max_length=10, choices=AttemptState.choices, default=AttemptState.RUNNING)
    problem = models.CharField(max_length=200, blank=True)
    events = models.JSONField(default=list)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["task", "number"], name="attempt_number_unique")]

    def __str__(self) -> str:
        return f"attempt {self.number} at {self.task}"
