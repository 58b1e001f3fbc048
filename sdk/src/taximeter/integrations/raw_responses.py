"""Raw responses whose body nobody has read yet."""

from __future__ import annotations

from typing import Any, Protocol

from taximeter.integrations.model_calls import Reading


class Call(Protocol):
    """The call whose response it is."""

    def follow(self, answer: Any) -> None:
        """Reads an answer for its usage."""

    def failed(self, error: BaseException, reading: Reading | None = None) -> None:
        """Ends it without one."""


def follow_when_read(answer: Any, call: Call) -> None:
    """A response whose body nobody has read yet: followed when it is parsed, or when it is closed."""
    parse, close = answer.parse, answer.close

    def parsed(result: Any) -> Any:
        call.follow(result)
        return result

    def closed() -> None:
        try:
            call.follow(answer.http_response.json())
        except Exception:  # its reader took the bytes as they came, or none of them: nothing is known of the tokens
            call.failed(GeneratorExit(), Reading())

    async def parse_async(**options: Any) -> Any:
        return parsed(await parse(**options))

    async def close_async() -> None:
        closed()
        await close()

    def close_now() -> None:
        closed()
        close()

    if type(answer).__name__.startswith("Async"):
        answer.parse, answer.close = parse_async, close_async
    else:
        answer.parse, answer.close = lambda **options: parsed(parse(**options)), close_now
