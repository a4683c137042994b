"""`/health` for readiness, `/metrics` for Prometheus: neither needs a token, neither tells a health datum."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from fhirserver.errors import FhirError
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Flask

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""A client may send any other word as method; each would be a label of its own, kept for good."""
_LABELS = ("endpoint", "method", "status")
REQUESTS = Counter("fhirserver_requests", "Requests answered", _LABELS)
SECONDS = Histogram(
    "fhirserver_request_seconds",
    "Time to answer, in seconds",
    ("endpoint",),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)


def blueprint() -> Blueprint:
    pages = Blueprint("health", __name__)
    pages.add_url_rule("/health", "health", health)
    pages.add_url_rule("/metrics", "metrics", metrics)
    return pages


def health() -> tuple[Response, int]:
    """200 when the database answers, 503 when it does not; names the running instance."""
    found = services()
    try:
        found.store.ping()
    except FhirError:
        return jsonify(status="unavailable", instance=found.instance), 503
    return jsonify(status="ok", instance=found.instance), 200


def metrics() -> Response:
    """Counts and times of all workers, by endpoint; never by id, person or parameter."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def measure(app: Flask) -> None:
    """Counts every request of the app."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        endpoint = request.endpoint or "unknown"
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(endpoint, method, str(response.status_code)).inc()
        SECONDS.labels(endpoint).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return response
