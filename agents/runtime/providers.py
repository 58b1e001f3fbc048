"""From an agent's definition to the model it asks."""

from __future__ import annotations

import os

from django.conf import settings

from agents.domain.definitions import Definition
from agents.models import Provider
from agents.recording import OWN_PROVIDER
from agents.runtime.errors import ModelRefused
from agents.runtime.model import HttpModelClient, ModelClient

_KEY_VARIABLE = "TAXIMETER_PROVIDER_KEY_"


def model_of(definition: Definition) -> ModelClient:
    """Our own engine, or the provider that operators entered. Raises `ModelRefused` where there is none."""
    if definition.provider == OWN_PROVIDER:
        return HttpModelClient(
            socket=settings.ENGINE_SOCKET,
            api_key=settings.ENGINE_SECRET,
            model=definition.model,
            timeout=definition.max_seconds,
        )
    provider = Provider.objects.filter(key=definition.provider).first()
    if provider is None:
        raise ModelRefused(f"There is no provider {definition.provider!r}")
    key = os.environ.get(f"{_KEY_VARIABLE}{provider.api_key_name}", "") if provider.api_key_name else ""
    return HttpModelClient(
        address=provider.address,
        api_key=key,
        model=definition.model,
        provider=provider.key,
        hardware=provider.hardware or None,
        log_probabilities=provider.has_log_probabilities,
        timeout=definition.max_seconds,
    )
