"""What is to happen when so many percent of a budget are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel.errors import FieldError, InvalidError
from kernel.money import EXACT, plain_decimal_from

ACTIONS = ("mail", "webhook", "stop")
MOST_THRESHOLDS = 10
MOST_RECIPIENTS = 20
_HUNDRED = Decimal(100)
_MOST_PERCENT = Decimal(1000)


class ThresholdsInvalid(InvalidError):
    code = "budget_thresholds_invalid"


@dataclass(frozen=True, slots=True)
class Threshold:
    """`percent` of a budget's amount, and what is done once it is reached. Without `recipients`, a mail goes to the
    organization's people who look after money."""

    percent: Decimal
    actions: tuple[str, ...]
    recipients: tuple[str, ...] = ()

    def of(self, amount: Decimal) -> Decimal:
        """The quantity or amount at which it is reached, exactly."""
        return EXACT.divide(EXACT.multiply(amount, self.percent), _HUNDRED)

    def to_json(self) -> dict[str, Any]:
        return {
            "percent": format(self.percent.normalize(EXACT), "f"),
            "actions": list(self.actions),
            "recipients": list(self.recipients),
        }


def read_thresholds(value: object) -> tuple[Threshold, ...]:
    """Thresholds from JSON, by percent. Raises `ThresholdsInvalid` with pointers into the list."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not 1 <= len(value) <= MOST_THRESHOLDS:
        raise ThresholdsInvalid(f"thresholds is a list of 1 to {MOST_THRESHOLDS}")
    problems: list[FieldError] = []
    found = [_read(one, f"/thresholds/{index}", problems) for index, one in enumerate(value)]
    if problems:
        raise ThresholdsInvalid("These thresholds make no sense", errors=problems)
    if len({one.percent for one in found}) < len(found):
        raise ThresholdsInvalid("Each threshold has a percent of its own")
    return tuple(sorted(found, key=lambda one: one.percent))


def _read(value: object, pointer: str, problems: list[FieldError]) -> Threshold:
    fields: Mapping[str, object] = value if isinstance(value, Mapping) else {}
    if not isinstance(value, Mapping) or set(value) - {"percent", "actions", "recipients"}:
        problems.append(FieldError(pointer, "threshold_invalid", "A threshold has percent, actions and recipients"))
    percent = Decimal(0)
    with suppress(TypeError, ValueError):
        percent = plain_decimal_from(fields.get("percent"))
    if not 0 < percent <= _MOST_PERCENT or int(percent.as_tuple().exponent) < -6:
        detail = f"percent is a decimal as text, above 0 and at most {_MOST_PERCENT}"
        problems.append(FieldError(f"{pointer}/percent", "percent_invalid", detail))
    actions = _texts(fields.get("actions"))
    if not actions or set(actions) - set(ACTIONS) or len(set(actions)) < len(actions):
        detail = f"actions is a list of {', '.join(ACTIONS)}, each once at most"
        problems.append(FieldError(f"{pointer}/actions", "actions_invalid", detail))
    recipients = _texts(fields.get("recipients", []))
    if recipients is None or len(recipients) > MOST_RECIPIENTS or (recipients and "mail" not in (actions or ())):
        detail = f"recipients of a mail are a list of at most {MOST_RECIPIENTS} addresses"
        problems.append(FieldError(f"{pointer}/recipients", "recipients_invalid", detail))
    return Threshold(percent, actions or (), recipients or ())


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        return None
    return tuple(value)


def stop_of(thresholds: Iterable[Threshold], amount: Decimal) -> Decimal | None:
    """Where work is stopped: the lowest threshold that says so; None where none does."""
    return min((one.of(amount) for one in thresholds if "stop" in one.actions), default=None)


def reached(thresholds: Iterable[Threshold], *, amount: Decimal, used: Decimal) -> list[Threshold]:
    """The thresholds that `used` has come to."""
    return [one for one in thresholds if used >= one.of(amount)]
