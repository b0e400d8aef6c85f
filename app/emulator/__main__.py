"""`python -m app.emulator`: serve the emulator until SIGINT or SIGTERM."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from app.emulator import create_emulator
from app.emulator.http_server import listen, run_until_stopped, stop_on_signals, stop_when_stdin_closes
from app.emulator.options import DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN, Options

DEFAULT_PORT = 4010
OWNED_HELP = "a template (HX...) or messaging service (MG...) of the account; HX or MG alone: every one; repeatable"
# What may be asked for at the start, and what the fault engine calls it.
FAULTS = {
    name: name
    for name in ("latency", "duplicate", "reorder", "delay", "drop", "fail", "cut_after_store", "early_receipt")
} | {
    "fail_reads": "reads",
    "receipt_after_stop": "receipt_after_stop",
}


def serve(
    *,
    port: int = DEFAULT_PORT,
    until_stdin_closes: bool = False,
    when_ready: Callable[[str], None] = lambda _url: None,
    **asked: Any,
) -> None:
    """Serve until stopped; print one line, `Emulator ready on <URL>`, when it listens, and tell `when_ready` that URL.

    `asked` are fields of Options and names of FAULTS; times are seconds. What is not asked for keeps its default.
    """
    faults = {name: asked.pop(given) for given, name in FAULTS.items() if given in asked}
    several = {name: tuple(asked.get(name, ())) for name in ("numbers", "owned", "webhook_filters")}
    options = Options(**asked | several, faults=faults)
    server = listen(create_emulator(options), port)
    stop_on_signals(server)
    if until_stdin_closes:
        stop_when_stdin_closes(server)
    url = f"http://127.0.0.1:{server.port}"
    print(f"Emulator ready on {url}", flush=True)  # noqa: T201  the ready line
    when_ready(url)
    run_until_stopped(server)


def read_arguments(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the keyword arguments for `serve` that a command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m app.emulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    add("--webhook-url", default="", help="global webhook, on loopback; with all events that tell of something done")
    add("--until-stdin-closes", action="store_true", help="end with whoever has started it")
    add("--public-url", default="", help="origin the webhooks are signed for, if not the webhook's own")
    add("--auth-token", default=DEFAULT_AUTH_TOKEN)
    add("--account-sid", default=DEFAULT_ACCOUNT_SID)
    add("--seed", type=int, help="same SIDs and same faults in each run")
    add("--latency", type=float, default=0.0, help="seconds each REST request takes longer")
    add("--receipt-delay", type=float, default=0.05, help="seconds between sent, delivered and read")
    add("--webhook-timeout", type=float, default=5.0, help="seconds until a webhook is given up")
    yes_no = argparse.BooleanOptionalAction
    add(
        "--rate-limit",
        action=yes_no,
        help="30 writes a second for a conversation or service, then 429; on unless lenient",
    )
    add("--autocreate", action="store_true", help="every number begins conversations, without an address configuration")
    add("--lenient", action="store_true", help="no set-up needed, no limits, and what is unknown is accepted")
    add("--owned", action="append", default=[], metavar="SID", help=OWNED_HELP)
    add("--number", dest="numbers", action="append", default=[], help="a number the account owns; repeatable")
    add("--duplicate", type=float, default=0.0, help="probability that a webhook is posted twice")
    add("--reorder", type=float, default=0.0, help="probability that a webhook is overtaken by later ones")
    add("--early-receipt", type=float, default=0.0, help="probability that a receipt comes before the REST answer")
    add(
        "--receipt-after-stop",
        action="store_true",
        help="a message to who wrote STOP fails with 21610, else no receipt",
    )
    add("--delay", type=float, default=0.0, help="seconds each webhook comes later")
    add("--drop", type=float, default=0.0, help="probability that a webhook is never posted")
    add("--fail", default="", metavar="STATUS:P", help="probability that a REST write is refused, as 503:0.1")
    add("--fail-reads", action="store_true", help="let --fail refuse reads too")
    add("--cut-after-store", type=float, default=0.0, help="probability that a stored message is not answered")
    return vars(parser.parse_args(arguments))


def main() -> None:
    """Serve as the command line asks; a fault that makes no sense is told in one sentence."""
    try:
        serve(**read_arguments())
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
