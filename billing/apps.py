from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing.queries.customers import customer_key  # noqa: PLC0415 - models exist only from here on
        from metering.facade import register_customer_directory  # noqa: PLC0415

        register_customer_directory(customer_key)

        from billing.announcing import show_with  # noqa: PLC0415
        from billing.api.announced import PRESENTERS  # noqa: PLC0415

        show_with(PRESENTERS)

        from billing.documents.attaching import attach_invoice_pdf  # noqa: PLC0415
        from notifications.facade import register_attachment  # noqa: PLC0415

        register_attachment("invoice_pdf", attach_invoice_pdf)
