"""Measures how fast webhooks are acknowledged: saturated, at a fixed rate, and against replying in the request."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from benchmarks.charts import Bars, Panel
from benchmarks.load import Report, run_load
from benchmarks.scale import ONE, TWO, Scale
from benchmarks.servers import Layout, Server, parley, slow_api, workplace, yardstick
from benchmarks.tables import (
    Row,
    Table,
    cpu_each,
    errors_of,
    generator_share,
    interleaved,
    median_of,
    median_ratio,
    throughput,
)

ACK_BUDGET = "p50 <= 5, p99 <= 15 ms, no errors"
Subject = Callable[[Layout], AbstractContextManager[Server]]

LEAST_SHARE = {ONE: 0.75, TWO: 0.5}  # of the requests/s of Flask + RequestValidator
CONNECTIONS = 32
OFFERED_RATE = 500
DEPLOYED_LATENCY = 0.1  # seconds; what the inline worker meets while acknowledging is measured
NAIVE_LATENCY = 0.2
REQUESTS_PER_SECOND = 6_000  # more than any subject answers here: signed ahead, so that time ends the run


@contextmanager
def acknowledging_only(layout: Layout) -> Iterator[Server]:
    """Run Parley with a fresh database and without the inline worker."""
    with workplace() as directory, parley(layout, directory) as server:
        yield server


@contextmanager
def as_deployed(layout: Layout, latency: float = DEPLOYED_LATENCY) -> Iterator[Server]:
    """Run Parley with a fresh database and its inline worker, which replies to an API of that latency."""
    with (
        workplace() as directory,
        slow_api(latency) as api,
        parley(layout, directory, api.url, inline_worker="on") as server,
    ):
        yield server


@contextmanager
def replying_in_the_request(layout: Layout) -> Iterator[Server]:
    """Run the naive handler against an API of its own."""
    with slow_api(NAIVE_LATENCY) as api, yardstick("naive_flask", layout, api.url) as server:
        yield server


BARE = "bare Flask"
VALIDATING = "Flask + RequestValidator, nothing stored"
FSYNCING = "Flask + RequestValidator, one fsync each"
ACK_ONLY = "Parley, ack only"
DEPLOYED = "Parley, inline worker on"
NAIVE = "naive handler"

SUBJECTS: dict[str, Subject] = {
    BARE: partial(yardstick, "bare_flask"),
    VALIDATING: partial(yardstick, "validating_flask"),
    ACK_ONLY: acknowledging_only,
    DEPLOYED: as_deployed,
}

NAIVE_SUBJECTS: dict[str, Subject] = {
    NAIVE: replying_in_the_request,
    BARE: partial(yardstick, "bare_flask"),
    ACK_ONLY: acknowledging_only,
    DEPLOYED: partial(as_deployed, latency=NAIVE_LATENCY),
}


def _saturate_in_turns(
    subjects: dict[str, Subject], layout: Layout, rounds: int, seconds: float
) -> dict[str, list[Report]]:
    return interleaved(list(subjects), rounds, lambda name: _saturate(subjects[name], layout, seconds))


def _saturate(subject: Subject, layout: Layout, seconds: float) -> Report:
    with subject(layout) as server:
        count = int(REQUESTS_PER_SECOND * seconds)
        watched = [server.pid]
        return run_load(
            server.port, count=count, watched=watched, seconds=seconds, connections=CONNECTIONS, warm_up=320
        )


def _offer(subject: Subject, layout: Layout, seconds: float) -> Report:
    with subject(layout) as server:
        count = int(OFFERED_RATE * seconds)
        watched = [server.pid]
        return run_load(
            server.port, count=count, watched=watched, rate=OFFERED_RATE, connections=CONNECTIONS, warm_up=320
        )


def saturated(scale: Scale) -> Table:
    """Return durable acknowledging against apps that store nothing, all with the same process layout."""
    rows: list[Row] = []
    shares: list[Report] = []
    panels: list[Panel] = []
    for layout in scale.layouts:
        reports = _saturate_in_turns(SUBJECTS, layout, scale.rounds, scale.saturated_seconds)
        shares += [report for of_one in reports.values() for report in of_one]
        rows += _saturated_rows(layout, reports)
        rates = {name: median_of(of_one, "rate") for name, of_one in reports.items()}
        panels.append(Bars(f"Acknowledging, saturated, {layout}", "requests per second", rates))
    return Table(
        f"Acknowledging, saturated by {CONNECTIONS} connections (`ack`)",
        rows,
        (
            f"{scale.rounds} interleaved rounds of {scale.saturated_seconds:g} s; medians, ratios within a round.",
            "The yardstick is Flask + RequestValidator with nothing stored, in the same layout.",
            f"The inline worker replies meanwhile to an API that takes {DEPLOYED_LATENCY * 1000:.0f} ms.",
            generator_share(shares, os.cpu_count() or 1),
        ),
        panels=panels,
    )


def _saturated_rows(layout: Layout, reports: dict[str, list[Report]]) -> list[Row]:
    yardsticks = reports[VALIDATING]
    bare = Row(
        f"{layout} {BARE}",
        throughput(reports[BARE]),
        ratio=_ratio(reports[BARE], yardsticks),
        cpu=cpu_each(reports[BARE]),
    )
    validating = Row(f"{layout} {VALIDATING}", throughput(yardsticks), ratio="1.00", cpu=cpu_each(yardsticks))
    return [bare, validating, *(_durable_row(layout, name, reports) for name in (ACK_ONLY, DEPLOYED))]


def _durable_row(layout: Layout, name: str, reports: dict[str, list[Report]]) -> Row:
    ours, yardsticks, least = reports[name], reports[VALIDATING], LEAST_SHARE[layout]
    kept = median_ratio(ours, yardsticks) >= least and median_of(ours, "p99_ms") <= 60
    return Row(
        f"{layout} {name}",
        throughput(ours),
        budget=f">= {least:.2f} of it, p99 <= 60 ms",
        yardstick=f"{median_of(yardsticks, 'rate'):,.0f}/s",
        ratio=_ratio(ours, yardsticks),
        kept=kept and errors_of(ours) == 0,
        cpu=cpu_each(ours),
    )


def is_within_budget(p50_ms: float, p99_ms: float) -> bool:
    """Return whether acknowledging at a fixed rate is as fast as ACK_BUDGET says."""
    return p50_ms <= 5 and p99_ms <= 15


def _ratio(reports: list[Report], yardsticks: list[Report]) -> str:
    return f"{median_ratio(reports, yardsticks):.2f}"


def offered(scale: Scale) -> Table:
    """Return acknowledging at a fixed rate, each time measured from when the request was meant to leave."""
    subjects = SUBJECTS | {FSYNCING: partial(yardstick, "fsyncing_flask")}
    names = [VALIDATING, FSYNCING, ACK_ONLY, DEPLOYED]
    seconds = scale.offered_seconds
    reports = interleaved(names, scale.offered_rounds, lambda name: _offer(subjects[name], TWO, seconds))
    yardsticks = reports[VALIDATING]
    rows = [
        Row(f"{TWO} {name}", throughput(reports[name]), cpu=cpu_each(reports[name])) for name in (VALIDATING, FSYNCING)
    ]
    for name in (ACK_ONLY, DEPLOYED):
        rows.append(_offered_row(name, reports[name], yardsticks))
    late = max(report.lateness_p99_ms for of_one in reports.values() for report in of_one)
    return Table(
        f"Acknowledging {OFFERED_RATE} webhooks per second, SQLite (`offered`)",
        rows,
        (
            f"{scale.offered_rounds} x {seconds:g} s in turns; ratio is p50 against the app that stores nothing.",
            "One fsync each shows what the disk alone does to the times, its stalls too.",
            f"Times count from the intended moment; the generator itself was late by up to {late:.1f} ms (p99).",
            generator_share([report for of_one in reports.values() for report in of_one], os.cpu_count() or 1),
        ),
    )


def _offered_row(name: str, ours: list[Report], yardsticks: list[Report]) -> Row:
    p50, p99 = median_of(ours, "p50_ms"), median_of(ours, "p99_ms")
    return Row(
        f"{TWO} {name}",
        throughput(ours),
        budget=ACK_BUDGET,
        yardstick=f"p50 {median_of(yardsticks, 'p50_ms'):.1f}, p99 {median_of(yardsticks, 'p99_ms'):.1f} ms",
        ratio=f"{p50 / median_of(yardsticks, 'p50_ms'):.2f}",
        kept=is_within_budget(p50, p99) and errors_of(ours) == 0,
        cpu=cpu_each(ours),
    )


def naive(scale: Scale) -> Table:
    """Return acknowledging against a handler that calls the REST API before it answers."""
    rows: list[Row] = []
    shares: list[Report] = []
    for layout in scale.layouts:
        rounds = max(1, scale.rounds // 2)
        reports = _saturate_in_turns(NAIVE_SUBJECTS, layout, rounds, scale.naive_seconds)
        shares += [report for of_one in reports.values() for report in of_one]
        times, used = _times(reports[BARE], reports[NAIVE]), cpu_each(reports[BARE])
        bare = Row(f"{layout} {BARE}", throughput(reports[BARE]), ratio=times, cpu=used)
        rows += [bare, *(_naive_row(layout, name, reports) for name in (ACK_ONLY, DEPLOYED))]
    return Table(
        "Acknowledging against replying inside the request (`naive`)",
        rows,
        (
            f"Saturated by {CONNECTIONS} connections; the REST API takes {NAIVE_LATENCY * 1000:.0f} ms.",
            f"In n x 16 threads the naive handler cannot answer more than n x {16 / NAIVE_LATENCY:.0f}/s.",
            "Bare Flask shows how much any app could reach, one that checks and stores nothing.",
            generator_share(shares, os.cpu_count() or 1),
        ),
    )


def _times(reports: list[Report], yardsticks: list[Report]) -> str:
    return f"{median_ratio(reports, yardsticks):.1f}"


def _naive_row(layout: Layout, name: str, reports: dict[str, list[Report]]) -> Row:
    ours, yardsticks = reports[name], reports[NAIVE]
    return Row(
        f"{layout} {name}",
        throughput(ours),
        budget=">= 25 x its requests/s",
        yardstick=throughput(yardsticks),
        ratio=_times(ours, yardsticks),
        kept=median_ratio(ours, yardsticks) >= 25 and errors_of(ours) == 0,
        cpu=cpu_each(ours),
    )
