from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from accounts.facade import register_mail_queue  # noqa: PLC0415 - models exist only from here on
        from notifications.services.queueing import queue_mail  # noqa: PLC0415

        register_mail_queue(queue_mail)
