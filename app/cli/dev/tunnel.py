"""Finds the ngrok tunnel to the app, and proves that what is called there arrives here."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import click

from app.cli.output import why_of
from app.operations import round_trip
from app.operations.webhooks import ROUTE
from app.twilio_api.signature import Keys

TRIP_SECONDS = 10.0
_NOT_YET = (0, 502, 503, 504)  # what a tunnel says that is not up yet


def find_tunnel(ngrok_api: str, port: int) -> str:
    """Return the public origin that ngrok forwards to our port, https before http. Raises ClickException.

    Source: ngrok.com/docs/agent/api, GET /api/tunnels, read 2026-11-22.
    """
    tunnels = _tunnels(ngrok_api, port)
    ours = [one for one in tunnels if _port_of(one) == port]
    if ours:
        best = min(ours, key=lambda one: not str(one.get("public_url")).startswith("https://"))
        return str(best.get("public_url")).rstrip("/")
    others = ", ".join(sorted({f"port {_port_of(one)}" for one in tunnels}))
    raise click.ClickException(
        f"ngrok has no tunnel to port {port}"
        + (f", only to {others}; use --port, or" if others else ";")
        + f" start one with: ngrok http {port}"
    )


def prove_round_trip(public_url: str, run_id: str, keys: Keys) -> None:
    """Return when a call of the public address reached our own process and its receiver accepted a signed one.

    Raises ClickException with what happened instead.
    """
    deadline = time.monotonic() + TRIP_SECONDS
    while True:
        status, found = round_trip.call(Request(f"{public_url}/healthz"))  # noqa: S310 - http or https, see config
        if status not in _NOT_YET or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    fault = _fault_of_trip(public_url, run_id, status, found) or _fault_of_door(public_url, keys)
    if fault:
        raise click.ClickException(f"{fault}. The webhook at Twilio was not changed.")


def _fault_of_trip(public_url: str, run_id: str, status: int, found: str) -> str:
    if status != 200:
        return f"{public_url}/healthz answers {status or 'nothing'}: does the tunnel still run?"
    return "" if found == run_id else f"{public_url} reaches another program than this one: which port does it serve?"


def _fault_of_door(public_url: str, keys: Keys) -> str:
    url = public_url + ROUTE
    status = round_trip.post_signed(url, keys)
    if status == 200:
        return ""
    return f"{url} refuses a signed webhook with {status or 'no answer'}: `flask signature explain` shows why"


def _tunnels(ngrok_api: str, port: int) -> list[dict[str, Any]]:
    url = f"{ngrok_api.rstrip('/')}/api/tunnels"
    try:
        if not url.startswith(("http://", "https://")):
            raise ValueError("is no http address")
        with build_opener(ProxyHandler({})).open(url, timeout=5) as answer:
            document = json.loads(answer.read(1_000_000))
        found = document["tunnels"]
        return [one for one in found if isinstance(one, dict) and one.get("public_url")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"no ngrok answers at {ngrok_api} ({why_of(error)}); start it in another terminal with: "
            f"ngrok http {port} (or name its web interface with --ngrok-api)"
        ) from error


def _port_of(tunnel: dict[str, Any]) -> int:
    config = tunnel.get("config")
    address = str(config.get("addr", "")) if isinstance(config, dict) else ""
    found = re.search(r"(\d{1,5})/?$", address)
    return int(found[1]) if found else {"http": 80, "https": 443}.get(address.partition(":")[0], 0)
