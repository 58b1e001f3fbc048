"""What other rooms may use of agents."""

from agents.domain.activity import DEFINITIONS_VERSION, STANDARD_METERS, compute_cost
from agents.domain.charges import Charge
from agents.domain.costs import Costs, RateTable
from agents.domain.readings import DECISION, INFERENCE_CALL, TASK, TOOL_CALL, TURN
from agents.models import Agent, AgentVersion
from agents.queries.charges import charges_of, transactions_of
from agents.queries.costs import CostQuestion, CostRow, costs
from agents.queries.ended import EndedTasks, ended_tasks
from agents.queries.outstanding import Outstanding, outstanding_tasks
from agents.queries.rates import RatesRead, rate_table
from agents.queries.tasks import TaskQuestion, TaskView, list_tasks, projected_to, task_summary
from agents.queries.traces import TaskTrace, task_trace
from agents.queries.work import WorkQuestion, WorkRow, work
from agents.recording import InProcessTransport, call_cost, costs_of, meter_for
from agents.services.agents import register_agent
from agents.services.forgetting import forget_tasks, has_open_tasks
from agents.services.outcomes import dispute_outcome, set_outcome
from agents.services.projection import advance_task_summaries
from agents.services.set_up import set_up_organization

__all__ = [
    "DECISION",
    "DEFINITIONS_VERSION",
    "INFERENCE_CALL",
    "STANDARD_METERS",
    "TASK",
    "TOOL_CALL",
    "TURN",
    "Agent",
    "AgentVersion",
    "Charge",
    "CostQuestion",
    "CostRow",
    "Costs",
    "EndedTasks",
    "InProcessTransport",
    "Outstanding",
    "RateTable",
    "RatesRead",
    "TaskQuestion",
    "TaskTrace",
    "TaskView",
    "WorkQuestion",
    "WorkRow",
    "advance_task_summaries",
    "call_cost",
    "charges_of",
    "compute_cost",
    "costs",
    "costs_of",
    "dispute_outcome",
    "ended_tasks",
    "forget_tasks",
    "has_open_tasks",
    "list_tasks",
    "meter_for",
    "outstanding_tasks",
    "projected_to",
    "rate_table",
    "register_agent",
    "set_outcome",
    "set_up_organization",
    "task_summary",
    "task_trace",
    "transactions_of",
    "work",
]
