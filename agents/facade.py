"""What other rooms may use of agents."""

from agents.domain.activity import DEFINITIONS_VERSION, STANDARD_METERS, compute_cost
from agents.models import Agent, AgentVersion
from agents.recording import InProcessTransport, costs_of, meter_for
from agents.services.agents import register_agent
from agents.services.set_up import set_up_organization

__all__ = [
    "DEFINITIONS_VERSION",
    "STANDARD_METERS",
    "Agent",
    "AgentVersion",
    "InProcessTransport",
    "compute_cost",
    "costs_of",
    "meter_for",
    "register_agent",
    "set_up_organization",
]
