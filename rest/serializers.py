"""Request bodies that refuse what they do not understand."""

from __future__ import annotations

import functools
import zoneinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers

from kernel.keys import LONGEST_CUSTOMER_KEY, customer_key_refusal
from kernel.money import is_currency, plain_decimal_from
from kernel.text import TextInvalid, refusal_of, refused_character, refused_within
from rest.lookup import parse_instant

#: Keys are what people name things by: they stand in addresses, files and URLs.
KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z"


class Shape(serializers.Serializer[Any]):
    """A serializer whose fields may be called `data`, `errors`, `parent` and `source`, names that DRF uses itself."""

    data: Any
    errors: Any
    parent: Any
    source: Any


class PlainTextSerializer(Shape):
    """A serializer that refuses control characters in every text it takes (code `text_invalid`).

    `many_lines` names the texts that may have several lines. `as_sent` names the fields whose text comes from events,
    such as the id of one: they are taken as they are, because they have to match.
    """

    many_lines: tuple[str, ...] = ()
    as_sent: tuple[str, ...] = ()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (refused := {name: one for name in data if (one := self._refused(name, data))}):
            raise serializers.ValidationError(refused)
        return super().to_internal_value(data)

    def _refused(self, name: Any, data: dict[Any, Any]) -> list[serializers.ErrorDetail]:
        """The problems of the text in a field; a field with a serializer of its own says its own."""
        field, value = self.fields.get(name), data[name]
        if field is None or name in self.as_sent or isinstance(getattr(field, "child", field), PlainTextSerializer):
            return []
        is_line = isinstance(value, str) and name not in self.many_lines
        found = refused_character(value) if is_line else refused_within(value)
        return [serializers.ErrorDetail(refusal_of(found), code=TextInvalid.code)] if found else []


class StrictSerializer(PlainTextSerializer):
    """A serializer to which an unknown field is an error (code `unknown_field`), not a thing to ignore."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError(
                {name: [serializers.ErrorDetail("There is no such field", code="unknown_field")] for name in unknown}
            )
        return super().to_internal_value(data)


class KeyField(serializers.RegexField):
    """A key, unique in the organization: letters, digits and . _ : @ + -, at most 128."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            KEY_PATTERN,
            error_messages={"invalid": "A key has letters, digits and . _ : @ + - and at most 128 characters"},
            **kwargs,
        )


class CustomerKeyField(serializers.CharField):
    """A customer's key (`kernel.keys`): usage events name the customer by it. Refused with the reason."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            trim_whitespace=False,
            max_length=LONGEST_CUSTOMER_KEY,
            help_text="Letters and digits of any script (in Unicode's form NFC) and . _ : @ + | -, at most 128 "
            "characters, a letter or a digit first",
            **kwargs,
        )

    def to_internal_value(self, data: Any) -> str:
        key: str = super().to_internal_value(data)
        if (refusal := customer_key_refusal(key)) is not None:
            raise serializers.ValidationError(f"This can never be a customer's key: {refusal}", code="key_invalid")
        return key


class AnyField(serializers.Field[Any, Any, Any, Any]):
    """A JSON value that somebody else reads, left as it came."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class DecimalField(serializers.Field[Any, Any, Any, Any]):
    """An exact decimal, written as a string."""

    default_error_messages = {
        "invalid": 'Write an exact decimal as a string, such as "12.34"',
        "range": "This number is out of range",
    }

    def __init__(self, *, low: Decimal | None = None, high: Decimal = Decimal(10) ** 18, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            number = plain_decimal_from(data)
        except (TypeError, ValueError):
            self.fail("invalid")
        exponent = number.as_tuple().exponent
        if abs(number) > self.high or not isinstance(exponent, int) or exponent < -12:
            self.fail("range")
        if self.low is not None and number < self.low:
            self.fail("range")
        return number

    def to_representation(self, value: Decimal) -> Decimal:
        return value


class InstantField(serializers.Field[Any, Any, Any, Any]):
    """An instant in RFC 3339 with its zone."""

    default_error_messages = {
        "invalid": "Write a time as RFC 3339 with a zone, such as 2026-10-01T00:00:00Z, from 1970 to 2999"
    }

    def to_internal_value(self, data: Any) -> Any:
        try:
            return parse_instant(data)
        except (TypeError, ValueError):
            self.fail("invalid")

    def to_representation(self, value: Any) -> Any:
        return value


def zone_named(name: str) -> ZoneInfo:
    """The IANA time zone `name`; `ValueError` where there is none."""
    if name not in _zone_names():
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Berlin")
    return ZoneInfo(name)


@functools.cache
def _zone_names() -> frozenset[str]:
    """The names of the time-zone database; what only means something on one machine is left out."""
    return frozenset(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


class TimezoneField(serializers.CharField):
    """The name of an IANA time zone."""

    default_error_messages = {"zone": "This is not an IANA time zone such as Europe/Berlin"}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        try:
            return zone_named(name).key
        except ValueError:
            self.fail("zone")
            raise


class CurrencyField(serializers.CharField):
    """The ISO 4217 code of a currency with a minor unit."""

    default_error_messages = {"invalid": "A currency is an ISO 4217 code, such as USD"}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not is_currency(data):
            self.fail("invalid")
        return data
