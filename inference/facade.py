"""What other rooms may use of inference."""

from inference.models import Model
from inference.services.catalogue import register_model

__all__ = ["Model", "register_model"]
