"""What Prometheus reads, as numbers by name and labels."""

from collections.abc import Callable

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

PASSWORD = "correct-horse-battery"

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraper_of(app: Flask) -> Callable[[], Found]:
    """Return a function that scrapes an application."""
    return lambda: read(app.test_client().get("/metrics", auth=("prometheus", PASSWORD)).text)


def read(page: str) -> Found:
    """Return the numbers of a page by name and sorted labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def one(found: Found, name: str, **labels: str) -> float:
    """Return one number, 0 where there is none."""
    return found.get((name, tuple(sorted(labels.items()))), 0)


def by(found: Found, name: str, label: str) -> dict[str, float]:
    """Return the numbers of one name by one of its labels."""
    return {dict(labels)[label]: number for (called, labels), number in found.items() if called == name}
