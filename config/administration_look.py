"""How the Django admin looks, and what stands first in its menu: what operators come for every day."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _logo(request: HttpRequest) -> str:
    return static("console/logo.svg")


def _entry(title: str, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


#: The blue of the console's links.
_BLUE = {
    "50": "oklch(97% .014 254.604)",
    "100": "oklch(93.2% .032 255.585)",
    "200": "oklch(88.2% .059 254.128)",
    "300": "oklch(80.9% .105 251.813)",
    "400": "oklch(70.7% .165 254.624)",
    "500": "oklch(62.3% .214 259.815)",
    "600": "oklch(54.6% .245 262.881)",
    "700": "oklch(48.8% .243 264.376)",
    "800": "oklch(42.4% .199 265.638)",
    "900": "oklch(37.9% .146 265.522)",
    "950": "oklch(28.2% .091 267.935)",
}

_MENU = [
    {
        "title": "Customers and money",
        "separator": False,
        "items": [
            _entry("Customers", "group", "billing_customer"),
            _entry("Subscriptions", "autorenew", "billing_subscription"),
            _entry("Plans", "layers", "billing_plan"),
            _entry("Invoices", "receipt_long", "billing_invoice"),
            _entry("Payments", "payments", "billing_payment"),
            _entry("Billing runs", "event_repeat", "billing_billingrun"),
        ],
    },
    {
        "title": "Usage and work",
        "separator": True,
        "items": [
            _entry("Events", "list", "metering_usageevent"),
            _entry("Meters", "speed", "metering_meter"),
            _entry("Agents", "smart_toy", "agents_agent"),
            _entry("Models", "memory", "inference_model"),
        ],
    },
    {
        "title": "What is sent",
        "separator": True,
        "items": [
            _entry("Mail", "mail", "notifications_mail"),
            _entry("Webhook deliveries", "webhook", "notifications_webhookdelivery"),
            _entry("Calls to payment providers", "outbox", "collection_providercall"),
        ],
    },
    {
        "title": "People",
        "separator": True,
        "items": [
            _entry("Organizations", "apartment", "accounts_organization"),
            _entry("Users", "person", "accounts_user"),
            _entry("API keys", "key", "accounts_apikey"),
            _entry("Audit trail", "history", "accounts_auditentry"),
        ],
    },
]

#: Settings of django-unfold.
LOOK = {
    "SITE_TITLE": "Taximeter",
    "SITE_HEADER": "Taximeter",
    "SITE_SUBHEADER": "Administration of this server",
    "SITE_URL": "/",
    "SITE_ICON": _logo,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _logo}],
    "SHOW_HISTORY": False,  # who changed what stands in the audit trail
    "COLORS": {"primary": _BLUE},
    "SIDEBAR": {"show_search": True, "show_all_applications": True, "navigation": _MENU},
}
