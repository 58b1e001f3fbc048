"""What other rooms may use of inference."""

from inference.api.errors import openai_refusal
from inference.models import Model
from inference.queries.engine import EngineState, engine_state
from inference.queries.models import get_model, models, tasks_of_model
from inference.services.catalogue import add_model, recall_model
from inference.services.operators import is_operator

__all__ = [
    "EngineState",
    "Model",
    "add_model",
    "engine_state",
    "get_model",
    "is_operator",
    "models",
    "openai_refusal",
    "recall_model",
    "tasks_of_model",
]
