from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing.customers.queries import customer_key, known_customers  # noqa: PLC0415 - models exist now
        from billing.subscriptions.queries import unknown_subscriptions  # noqa: PLC0415 - models exist now
        from billing.test_clocks.queries import test_clock_times  # noqa: PLC0415 - models exist now
        from metering.facade import (  # noqa: PLC0415
            register_clock_directory,
            register_customer_directory,
            register_subscription_directory,
        )

        register_clock_directory(test_clock_times)
        register_customer_directory(customer_key, known_customers)
        register_subscription_directory(unknown_subscriptions)

        from billing.announced import PRESENTERS  # noqa: PLC0415
        from billing.announcing import show_with  # noqa: PLC0415

        show_with(PRESENTERS)

        from billing.documents.attaching import attach_invoice_pdf  # noqa: PLC0415
        from notifications.facade import register_attachment  # noqa: PLC0415

        register_attachment("invoice_pdf", attach_invoice_pdf)
