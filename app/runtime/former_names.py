"""Finds what a gunicorn.conf.py of an older checkout imports from the root: people keep their own copy of that file."""

from __future__ import annotations

from importlib import import_module

MODULES = {"metrics_folder": "app.monitoring.multiprocess", "schema": "app.db.schema"}
FUNCTIONS = {"faults_in_rules": "rules_problems", "faults_in_responder": "responder_problems"}


def find(name: str) -> object:
    """Return what the root's attribute `name` was. Raises AttributeError: it was none, or is no longer needed."""
    if name in MODULES:
        return import_module(MODULES[name])
    if name in FUNCTIONS:
        found: object = getattr(import_module("app.runtime.from_settings"), FUNCTIONS[name])
        return found
    raise AttributeError(f"module 'app' has no attribute '{name}'")
