"""To people, with a link that lets them in. Whoever has the link has the right, so what such mail says is not kept."""

from __future__ import annotations

from notifications.letters.letter import Letter, Writing

_NOT_YOU = "If you did not expect this mail, you need not do anything."


def member_invited(by: Writing) -> Letter:
    """`role`, `invited_by`, `link`, `expires_at`."""
    until = f"The link works once, until {by.moment(by.need('expires_at'))}."
    inviter = by.find("invited_by") or "Somebody"
    return Letter(
        subject=f"You are invited to {by.organization}",
        heading=f"Join {by.organization}",
        paragraphs=(f"{inviter} has invited you to {by.organization} on Taximeter, as {by.need('role')}.",),
        button=("Accept the invitation", by.link(by.need("link"))),
        notes=(until, _NOT_YOU),
    )


def portal_link(by: Writing) -> Letter:
    """`link`, and where known `customer` (a name) and `expires_at`."""
    until = by.find("expires_at")
    note = f"The link works once, until {by.moment(until)}." if until else "The link works once."
    customer = by.find("customer")
    return Letter(
        subject=f"Your link to {by.organization}",
        heading="Your invoices and usage",
        paragraphs=(
            f"Hello {customer}," if customer else "Hello,",
            f"with this link you see your usage and invoices at {by.organization}.",
        ),
        button=("Open the portal", by.link(by.need("link"))),
        notes=(note, _NOT_YOU),
    )


def password_reset(by: Writing) -> Letter:
    """`link` and `minutes`."""
    return Letter(
        subject="Set a new password",
        heading="Set a new password",
        paragraphs=("Somebody, we hope you, has asked to set a new password for this e-mail address.",),
        button=("Set a new password", by.link(by.need("link"))),
        notes=(f"The link works for {by.need('minutes')} minutes. Your old password works until then.", _NOT_YOU),
    )
