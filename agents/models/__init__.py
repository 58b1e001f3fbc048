"""Agents and their versions, what models cost, and what is kept beside the log about tasks."""

from agents.models.catalogue import Agent, AgentVersion, Provider, agent_id
from agents.models.costs import CostRate
from agents.models.projection import CallDay, CallHour, CallMonth, CallUsage, EndedDay, TaskProjection, TaskSummary
from agents.models.work import AttemptState, Task, TaskAttempt, TaskState

__all__ = [
    "Agent",
    "AgentVersion",
    "AttemptState",
    "CallDay",
    "CallHour",
    "CallMonth",
    "CallUsage",
    "CostRate",
    "EndedDay",
    "Provider",
    "Task",
    "TaskAttempt",
    "TaskProjection",
    "TaskState",
    "TaskSummary",
    "agent_id",
]
