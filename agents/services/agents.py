from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.facade import Organization, record_audit
from agents.domain.definitions import DefinitionInvalid, parse_definition
from agents.models import Agent, AgentVersion, Provider
from agents.recording import OWN_PROVIDER
from agents.runtime import registry
from kernel.errors import ConflictError, FieldError
from rest.lookup import find


class AgentExists(ConflictError):
    code = "agent_exists"


class AgentVersionExists(ConflictError):
    code = "agent_version_exists"


def agents_of(organization_id: int) -> QuerySet[Agent]:
    """The organization's agents with their versions, in the order in which they were made."""
    return Agent.objects.filter(organization_id=organization_id).prefetch_related("versions").order_by("id")


def get_agent(*, organization_id: int, agent: str) -> Agent:
    """The agent with this key or id; `NotFoundError` with code `agent_not_found`."""
    return find(agents_of(organization_id), agent, what="agent")


def register_agent(
    *, organization: Organization, key: str, version: str, name: str = "", description: str = ""
) -> Agent:
    """The agent with this key and version, made where it does not exist; safe to call again."""
    agent, _ = Agent.objects.get_or_create(
        organization=organization, key=key, defaults={"name": name or key, "description": description}
    )
    AgentVersion.objects.get_or_create(agent=agent, version=version)
    return agent


def create_agent(
    *,
    organization: Organization,
    key: str,
    version: str,
    actor: str,
    name: str = "",
    description: str = "",
    definition: Mapping[str, Any] | None = None,
) -> Agent:
    """A new agent with its first version. Raises `AgentExists`, `DefinitionInvalid`."""
    check_definition(definition)
    try:
        with transaction.atomic():
            agent = Agent.objects.create(organization=organization, key=key, name=name or key, description=description)
            AgentVersion.objects.create(agent=agent, version=version, definition=definition or {})
            record_audit(organization_id=organization.pk, actor=actor, action="agent.create", target=agent.pk)
    except IntegrityError:
        raise AgentExists(f"There is an agent {key!r} already") from None
    return agent


def create_agent_version(
    *, agent: Agent, version: str, actor: str, definition: Mapping[str, Any] | None = None
) -> AgentVersion:
    """Another version of an agent. The same definition again answers the one there is; versions never change.

    Raises `AgentVersionExists` for one with another definition, `DefinitionInvalid`.
    """
    check_definition(definition)
    try:
        with transaction.atomic():
            made = AgentVersion.objects.create(agent=agent, version=version, definition=definition or {})
            record_audit(
                organization_id=agent.organization_id, actor=actor, action="agent.version", target=agent.pk,
                version=version,
            )  # fmt: skip
            return made
    except IntegrityError:
        found = AgentVersion.objects.get(agent=agent, version=version)
        if found.definition != (definition or {}):
            raise AgentVersionExists(f"There is a version {version!r} with another definition already") from None
        return found


def check_definition(definition: Mapping[str, Any] | None) -> None:
    """Refuse what the runtime could not work; no definition is an agent that works elsewhere."""
    if definition is None or definition == {}:
        return
    parsed = parse_definition(definition, tools=registry.tool_names(), checks=registry.check_names())
    if parsed.provider != OWN_PROVIDER and not Provider.objects.filter(key=parsed.provider).exists():
        detail = f"There is no provider {parsed.provider!r}; operators enter them"
        raise DefinitionInvalid(
            "This definition cannot be used", errors=[FieldError("/definition/provider", "unknown", detail)]
        )
