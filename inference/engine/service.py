"""What the engine does with a request, whatever brought it: admit, generate, account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from inference.domain.chat import ChatRequest, ChatRequestError
from inference.domain.compute import CallUsage
from inference.engine.admission import Admission
from inference.engine.config import EngineConfig
from inference.engine.llama import LlamaModel
from inference.engine.model_file import ModelFile


class EngineService:
    """One model, its line of requests, and the requests that can be called off."""

    def __init__(self, config: EngineConfig, file: ModelFile) -> None:
        self.config = config
        self.file = file
        self._model = LlamaModel(file, context=config.context)
        self._line = Admission(config.queue_limit)
        self._called_off: dict[str, threading.Event] = {}
        self._stopping = threading.Event()
        self.started_at = int(time.time())

    def answer(
        self,
        request: ChatRequest,
        on_text: Callable[[str, CallUsage], None],
        *,
        request_id: str,
        gone: Callable[[], bool],
    ) -> CallUsage:
        """Answers `request`, piece by piece to `on_text`; returns the usage in all, also where it was cut off.

        It stops where `gone` says the client left, on `call_off(request_id)`, and when the process stops.
        """
        if request.model not in {self.file.id, self.file.digest}:
            raise ChatRequestError(
                f"The model '{request.model}' is not loaded; this engine has '{self.file.id}'",
                param="model",
                code="model_not_found",
            )
        called_off = self._called_off.setdefault(request_id, threading.Event())

        def over() -> bool:
            return called_off.is_set() or self._stopping.is_set() or gone()

        def go_on(text: str, usage: CallUsage) -> bool:
            on_text(text, usage)
            return not over()

        arrived = time.monotonic()
        try:
            with self._line.turn(over) as admitted:
                queue_ms = round((time.monotonic() - arrived) * 1000)
                if not admitted:
                    return CallUsage(queue_ms=queue_ms, finish_reason="cancelled")
                return self._model.generate(request, go_on, queue_ms=queue_ms)
        finally:
            self._called_off.pop(request_id, None)

    def call_off(self, request_id: str) -> bool:
        """Ends a request early; its answer still ends with what it used. False where there is no such request."""
        called_off = self._called_off.get(request_id)
        if called_off is not None:
            called_off.set()
        return called_off is not None

    def stop(self, *, within: float) -> None:
        """Calls off all requests and waits until they are answered, `within` seconds at most."""
        self._stopping.set()
        deadline = time.monotonic() + within
        while len(self._line) and time.monotonic() < deadline:
            time.sleep(0.02)

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "model": self.file.id, "model_digest": self.file.digest, "requests": len(self._line)}

    def models(self) -> dict[str, Any]:
        """The loaded model in the shape of OpenAI's list of models, with what its file says of itself."""
        about = self.file.metadata
        entry = {
            "id": self.file.id,
            "object": "model",
            "created": self.started_at,
            "owned_by": "taximeter",
            "taximeter": {
                "digest": self.file.digest,
                "architecture": about.architecture,
                "quantization": about.quantization,
                "context_length": self._model.context,
                "parameters": about.parameters,
                "license": about.license,
            },
        }
        return {"object": "list", "data": [entry]}

    def account(self, usage: CallUsage) -> dict[str, Any]:
        """The `taximeter` block of an answer: the usage, the model and the hardware."""
        return {
            **usage.as_json(),
            "model": self.file.id,
            "model_digest": self.file.digest,
            "quantization": self.file.metadata.quantization,
            "hardware": self.config.hardware,
        }
