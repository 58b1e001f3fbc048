from __future__ import annotations

from accounts.facade import Organization
from agents.models import Agent, AgentVersion


def register_agent(
    *, organization: Organization, key: str, version: str, name: str = "", description: str = ""
) -> Agent:
    """The agent with this key and version, made where it does not exist; safe to call again."""
    agent, _ = Agent.objects.get_or_create(
        organization=organization, key=key, defaults={"name": name or key, "description": description}
    )
    AgentVersion.objects.get_or_create(agent=agent, version=version)
    return agent
