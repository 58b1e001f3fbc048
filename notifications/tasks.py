from __future__ import annotations

from celery import shared_task
from django.conf import settings

from kernel.clock import system_clock
from notifications.queries.waiting import mail_is_waiting, webhooks_are_waiting
from notifications.sending.mail import send_mail
from notifications.sending.requests import Rules
from notifications.sending.webhooks import Terms, send_webhooks
from notifications.services.pruning import prune

#: A task goes on for so long while there is something to send; the schedule's next look begins another.
_SECONDS = 20.0


@shared_task(name="notifications.send_webhooks")
def send_due_webhooks() -> int:
    """Send the webhooks that are due. Returns how many attempts that took."""
    if not webhooks_are_waiting(now=system_clock()):
        return 0
    terms = Terms(
        schedule=settings.WEBHOOK_RETRY_SECONDS,
        rules=Rules(settings.WEBHOOK_HTTP, settings.WEBHOOK_ALLOWED_NETWORKS),
        at_once=settings.WEBHOOKS_AT_ONCE,
    )
    return send_webhooks(terms=terms, clock=system_clock, seconds=_SECONDS, senders=settings.WEBHOOK_SENDERS)


@shared_task(name="notifications.send_mail")
def send_due_mail() -> int:
    """Send the mail that is due. Returns how many were handed over."""
    return send_mail(clock=system_clock, seconds=_SECONDS) if mail_is_waiting(now=system_clock()) else 0


@shared_task(name="notifications.prune")
def prune_logs() -> int:
    """Delete what of the logs is older than it is kept."""
    return prune(now=system_clock())
