"""Agents and their versions. What they did stands in the usage event log, not here."""

from __future__ import annotations

from django.db import models

from kernel.ids import new_id


def agent_id() -> str:
    return new_id("agt")


class Agent(models.Model):
    """A deployed AI agent. `key` is what events name in `data.agent`, so it never changes."""

    id = models.CharField(max_length=30, primary_key=True, default=agent_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="agents")
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="agent_key_unique")]

    def __str__(self) -> str:
        return self.name


class AgentVersion(models.Model):
    """A version of an agent, as events name it in `data.agent_version`."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "version"], name="agent_version_unique")]

    def __str__(self) -> str:
        return f"{self.agent}@{self.version}"
