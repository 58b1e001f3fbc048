"""What other rooms may use of inference."""

from inference.api.errors import openai_refusal
from inference.models import Model
from inference.queries.engine import EngineState, engine_state
from inference.services.catalogue import add_model, recall_model

__all__ = ["EngineState", "Model", "add_model", "engine_state", "openai_refusal", "recall_model"]
