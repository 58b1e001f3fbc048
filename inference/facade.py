"""What other rooms may use of inference."""

from inference.api.errors import openai_refusal
from inference.models import Model
from inference.services.catalogue import add_model, recall_model

__all__ = ["Model", "add_model", "openai_refusal", "recall_model"]
