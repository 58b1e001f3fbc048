"""What other rooms may use of inference."""

from inference.api.errors import openai_refusal
from inference.models import Model
from inference.services.catalogue import register_model

__all__ = ["Model", "openai_refusal", "register_model"]
