"""Agents, their versions, and the model servers they may be run on. What they did stands in the event log, not here."""

from __future__ import annotations

from django.core.validators import RegexValidator
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
    """A version of an agent, as events name it in `data.agent_version`.

    `definition` is what the runtime needs to work its tasks (`agents.domain.definitions`), and empty for an agent
    that works elsewhere. A version never changes: another definition is another version.
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=64)
    definition = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "version"], name="agent_version_unique")]

    def __str__(self) -> str:
        return f"{self.agent}@{self.version}"


class Provider(models.Model):
    """A server that speaks OpenAI's API: vLLM, Ollama, llama-server, or a hosted one. Operators enter them.

    Its API key stands in the environment, in `TAXIMETER_PROVIDER_KEY_<api_key_name>`, and never in the database.
    """

    key = models.CharField(max_length=64, unique=True, help_text="what events name in data.provider: openai, vllm")
    name = models.CharField(max_length=200)
    address = models.URLField(help_text="without the /v1, such as http://gpu-1:8000")
    api_key_name = models.CharField(
        max_length=64,
        blank=True,
        validators=[RegexValidator(r"^[A-Z0-9_]+\Z")],
        help_text="the key is read from the environment variable TAXIMETER_PROVIDER_KEY_ and this",
    )
    hardware = models.CharField(max_length=64, blank=True, help_text="the class of machine, where it is your own")
    has_log_probabilities = models.BooleanField(
        default=False, help_text="ask for the probabilities of tokens, and record those of decisions"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name
