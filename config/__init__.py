"""Settings, addresses and processes of the Django project."""

from config.celery import app as celery_app  # so that shared tasks belong to it in every process

__all__ = ["celery_app"]
