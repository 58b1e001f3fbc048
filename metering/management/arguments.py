from __future__ import annotations

from argparse import ArgumentTypeError

from kernel.period import Month


def month_argument(text: str) -> Month:
    """A month on the command line; anything else is said as argparse says it."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
