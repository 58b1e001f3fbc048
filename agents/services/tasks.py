"""Giving tasks to the runtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.facade import Organization, record_audit
from agents.importers.customers import is_customer_key
from agents.models import AgentVersion, Task
from agents.services.agents import get_agent
from billing.facade import get_customer
from kernel.errors import ConflictError, InvalidError, NotFoundError
from kernel.ids import new_id


class TaskExists(ConflictError):
    code = "task_exists"


class AgentNotRunnable(InvalidError):
    """The agent's version has no definition: it works elsewhere."""

    code = "agent_not_runnable"


def queue_task(
    *, organization: Organization, agent: str, customer: str, input: Any, now: datetime, task_id: str | None = None
) -> Task:
    """A task for `agent` (`key`, its newest version, or `key@version`), to be worked as soon as somebody can.

    `task_id` names the work: the same given again answers the task there is. Raises `TaskExists` for other work under
    that id, `NotFoundError`, `AgentNotRunnable`, `InvalidError`.
    """
    version = _version(organization.pk, agent)
    if not version.definition:
        raise AgentNotRunnable(f"{version.agent.key}@{version.version} has no definition that could be run")
    try:
        customer = get_customer(organization_id=organization.pk, customer=customer).key
    except NotFoundError:
        if not is_customer_key(customer):
            raise InvalidError(f"{customer!r:.80} can never be a customer's key", code="customer_invalid") from None
    given = {"agent_version": version, "customer": customer, "input": {} if input is None else input}
    with transaction.atomic():
        task, is_new = Task.objects.get_or_create(
            organization=organization,
            task_id=task_id or new_id("tsk"),
            defaults={**given, "due_at": now, "created_at": now},
        )
        if is_new:
            record_audit(
                organization_id=organization.pk, action="task.queue", target=task.task_id, agent=agent,
                customer=customer,
            )  # fmt: skip
    if not is_new and (task.agent_version_id, task.customer, task.input) != (version.pk, customer, given["input"]):
        raise TaskExists(f"The task {task.task_id!r} was given before, with other work")
    return task


def task_given(*, organization_id: int, task_id: str) -> Task | None:
    """The task of our runtime with this id and its attempts; None for one that others work."""
    tasks = Task.objects.select_related("agent_version__agent").prefetch_related("attempts")
    return tasks.filter(organization_id=organization_id, task_id=task_id).first()


def _version(organization_id: int, reference: str) -> AgentVersion:
    key, _, name = reference.partition("@")
    agent = get_agent(organization_id=organization_id, agent=key)
    versions = [one for one in agent.versions.all() if not name or one.version == name]
    if not versions:
        raise NotFoundError(f"The agent {key!r} has no version {name!r}", code="agent_version_not_found")
    return max(versions, key=lambda one: one.pk)
