"""`flask trigger`: makes any event of Twilio Conversations happen, here and now, without an account."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import click
from click.core import ParameterSource
from flask.cli import with_appcontext

from app.cli import dev_environment
from app.cli.output import json_option, parley, show_json, show_table
from app.cli.param_types import NearestChoice, UrlParam, nearest
from app.cli.trigger import emulator_session
from app.cli.trigger.catalog import CHANNELS, CHOICES, MISTAKEN, NUMBERS, RECIPES, Recipe, parameter_names
from app.cli.trigger.sample_webhooks import Form, SampleIds, forms, fresh_sid
from app.cli.trigger.scenarios import TriggerRefused
from app.cli.trigger.signed_post import Posted, post, target_of
from app.common.quoting import quoted
from app.config import Settings
from app.twilio_api.client import is_here
from app.twilio_api.events import DeliveryUpdated, MessageEvent

ROUTE = "/conversations/webhook"


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    recipe: Recipe
    channel: str
    wanted: Mapping[str, str]
    count: int
    twice: bool
    shuffle: bool
    seed: int | None


@click.command("trigger")
@click.argument("event_type", required=False, type=NearestChoice(tuple(RECIPES)), metavar="[EVENT_TYPE]")
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="A parameter of the event; repeatable.")
@click.option("--channel", type=NearestChoice(CHANNELS), default="sms", metavar="|".join(CHANNELS), show_default=True)
@click.option("--twice", is_flag=True, help="Post the same event a second time, with RetryCount 1.")
@click.option("--shuffle", is_flag=True, help="Post the events that belong to it too, out of order.")
@click.option("--seed", type=int, help="The same disorder in each run.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, show_default=True)
@click.option("--to", type=UrlParam(), help="Sign and post to this URL, past any emulator.")
@click.option(
    "--signed-for",
    metavar="ORIGIN",
    type=UrlParam(is_origin=True),
    help="With --to: the PUBLIC_URL of the receiver, if it is not that of --to.",
)
@click.option(
    "--emulator",
    type=UrlParam(is_origin=True),
    show_default="TWILIO_API_BASE_URL, else that of `flask dev`, else http://127.0.0.1:4010",
)
@json_option
@with_appcontext
@click.pass_context
def trigger_command(
    ctx: click.Context,
    event_type: str | None,
    pairs: tuple[str, ...],
    channel: str,
    twice: bool,
    shuffle: bool,
    seed: int | None,
    count: int,
    to: str | None,
    signed_for: str | None,
    emulator: str | None,
    as_json: bool,
) -> None:
    """Let an event happen at the running emulator, or sign and post one; without EVENT_TYPE: what there is.

    Example: flask trigger onMessageAdded --set Body=hi --channel whatsapp
    """
    if event_type is None:
        _show_recipes(as_json)
        return
    recipe = RECIPES[event_type]
    order = Order(recipe, channel, _read_pairs(recipe, pairs), count, twice, shuffle, seed)
    _check(order, to, signed_for)
    is_named = ctx.get_parameter_source("emulator") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    emulator = emulator or dev_environment.emulator_url(parley().settings)
    results: list[Posted] = []
    try:
        for posted in _posts(order, to, signed_for, emulator, is_named):
            results.append(posted)
            if not as_json:
                _show(posted)
    except (TriggerRefused, RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        show_json([_document(posted) for posted in results])
    if any(posted.status == 403 for posted in results):
        click.echo("403: the receiver has another TWILIO_AUTH_TOKEN or PUBLIC_URL than this was signed with.", err=True)
    ctx.exit(0 if all(posted.is_accepted for posted in results) else 1)


def _show_recipes(as_json: bool) -> None:
    rows = [{"event_type": recipe.name, "what_happens": recipe.line} for recipe in RECIPES.values()]
    if as_json:
        return show_json(rows)
    return show_table(rows, ["event_type", "what_happens"], empty="")


def _read_pairs(recipe: Recipe, pairs: Iterable[str]) -> dict[str, str]:
    """Return the parameters to set. Raises UsageError for what is malformed or probably misspelt."""
    wanted = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{quoted(pair)} is not NAME=VALUE", param_hint="--set")
        _check_name(recipe, name)
        _check_value(name, value)
        wanted[name] = value
    return wanted


def _check_name(recipe: Recipe, name: str) -> None:
    """Refuse a name that is nearly one that Twilio documents; any other goes along, as Twilio may add it."""
    known = parameter_names(recipe)
    if name == "EventType":
        raise click.BadParameter("EventType is the argument, e.g. flask trigger onMessageAdded", param_hint="--set")
    meant = MISTAKEN.get(name) or nearest(name, known, cutoff=0.75)
    if name not in known and meant:
        raise click.BadParameter(
            f"{quoted(name)} is no parameter of {recipe.name}; did you mean {meant}?", param_hint="--set"
        )


def _check_value(name: str, value: str) -> None:
    if name in CHOICES:
        NearestChoice(CHOICES[name]).convert(value, _Named(f"--set {name}"), None)
    if name in NUMBERS and not (value.isascii() and value.isdigit()):
        raise click.BadParameter(f"{quoted(value)} is no number", param_hint=f"--set {name}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise click.BadParameter("the value is no UTF-8 text", param_hint=f"--set {name}") from error


class _Named(click.Option):
    """An option that exists only to be named in a message."""

    def __init__(self, name: str) -> None:
        super().__init__(["--set"])
        self._shown = name

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return self._shown


def _check(order: Order, to: str | None, signed_for: str | None) -> None:
    recipe = order.recipe
    if order.channel not in recipe.channels:
        allowed = " or ".join(recipe.channels)
        raise click.BadParameter(f"{quoted(order.channel)} has no {recipe.name}; use {allowed}", param_hint="--channel")
    if order.shuffle and not recipe.before:
        raise click.UsageError(f"--shuffle: nothing else belongs to {recipe.name}")
    if signed_for and not to:
        raise click.UsageError("--signed-for needs --to")


def _posts(order: Order, to: str | None, signed_for: str | None, emulator: str, is_named: bool) -> Iterator[Posted]:
    """Decide which way the event takes, and take it."""
    settings = parley().settings
    if to:
        yield from _post_directly(order, settings, to, (signed_for + target_of(to)) if signed_for else to)
        return
    running = emulator_session.find(emulator)
    if running:
        try:
            yield from _act(order, running)
        finally:
            running.emulator.stop()  # of one that we did not start, only the connection ends
        return
    if is_named or not (settings.public_url and settings.auth_token):
        raise TriggerRefused(
            f"no emulator answers at {emulator}; start `flask dev` or `flask emulator`, or use --to URL"
        )
    click.echo(f"No emulator answers at {emulator}; posting to {_plain(settings.public_url)}{ROUTE}.", err=True)
    yield from _post_directly(order, settings, settings.public_url + ROUTE, settings.public_url + ROUTE)


def _plain(url: str) -> str:
    """Return the URL without user and password."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _act(order: Order, running: emulator_session.Running) -> Iterator[Posted]:
    """Let it happen at the emulator; what it cannot bring about is made up, made known to it, and posted by it."""
    recipe, url = order.recipe, running.url_for(order.recipe)
    if not url:
        raise TriggerRefused("the emulator has no webhook to post to; start it with --webhook-url URL")
    if not order.shuffle and emulator_session.can_happen(recipe, order.channel, order.wanted):
        if recipe.name not in running.filters:
            raise TriggerRefused(f"the filters of the emulator's webhook leave out {recipe.name}")
        found = emulator_session.happen(running, recipe, order.channel, order.wanted, order.count)
        yield from found
        if order.twice:
            yield from emulator_session.again(running, recipe, found)
        return
    for story, cast in _stories(order, running.cast(order.channel)):
        emulator_session.adopt(running, story[-1], cast)
        yield from (emulator_session.post_through(running, form, url) for form in story)


def _post_directly(order: Order, settings: Settings, url: str, signed_url: str) -> Iterator[Posted]:
    """Make it up, sign it with our own token and post it."""
    token = settings.auth_token or _offline_token(url)
    if not token:
        raise TriggerRefused("TWILIO_AUTH_TOKEN is empty; it signs what is posted (see .env.example)")
    cast = SampleIds(
        account_sid=settings.account_sid or "AC" + "1".zfill(32),
        chat_service_sid=settings.service_sid or fresh_sid("IS"),
        messaging_service_sid=fresh_sid("MG"),
        channel=order.channel,
    )
    for story, _cast in _stories(order, cast):
        for form in story:
            yield post(form, url=url, signed_url=signed_url, token=token)


def _offline_token(url: str) -> str:
    """Return the token of `flask dev` for an address on this machine, else ""."""
    from app.emulator.options import DEFAULT_AUTH_TOKEN

    return DEFAULT_AUTH_TOKEN if is_here(url) else ""


def _stories(order: Order, cast: SampleIds) -> Iterator[tuple[list[Form], SampleIds]]:
    """Give `count` times the forms to post, in the order to post them, and whom they are about."""
    die = random.Random(order.seed)  # noqa: S311 - a repeatable disorder, no secret
    for number in range(order.count):
        cast = _next(order, cast) if number else cast
        story = forms(order.recipe, cast, order.wanted, whole_story=order.shuffle)
        if order.twice:
            story.append({**story[-1], "RetryCount": "1"})
        yield (_shuffled(story, die) if order.shuffle else story), cast


def _next(order: Order, cast: SampleIds) -> SampleIds:
    """Return the next message of the same conversation; for other events, and whole stories, new people."""
    is_message = issubclass(order.recipe.event, MessageEvent | DeliveryUpdated)
    return cast.next_message() if is_message and not order.shuffle else cast.others()


def _shuffled(story: list[Form], die: random.Random) -> list[Form]:
    """Return the events in another order than the natural one."""
    mixed = story[:]
    while mixed == story and len(story) > 1:
        die.shuffle(mixed)
    return mixed


def _show(posted: Posted) -> None:
    again = " again" if posted.form.get("RetryCount", "0") != "0" else ""
    what = posted.form["EventType"] + (f" {posted.form['Status']}" if "Status" in posted.form else "") + again
    error = f"  {posted.error}" if posted.error else ""
    sids = " ".join(posted.sids.values())
    click.echo(f"{what:<35} {posted.status or '---'} {posted.milliseconds:>8.1f} ms  {sids}{error}")
    sys.stdout.flush()


def _document(posted: Posted) -> dict[str, object]:
    return {
        "event_type": posted.form["EventType"],
        "status": posted.status,
        "milliseconds": posted.milliseconds,
        "error": posted.error,
        "retry_count": int(posted.form.get("RetryCount") or 0),
        **posted.sids,
    }
