from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "rest"
    verbose_name = "API conventions"

    def ready(self) -> None:
        import rest.schema  # noqa: F401, PLC0415 - registers how the API describes itself
