"""What became of messages: how far they came, what failed when, how long it took; and the geometry of the charts."""

from datetime import timedelta

import pytest

from app.dashboard.charts import columns, round_up
from app.store import delivery_statistics as statistics
from app.store.delivery_statistics import PERIODS
from tests.support.receipts import receipts_in

DAY, WEEK, MONTH = PERIODS


@pytest.fixture
def receipts(db, clock):
    return receipts_in(db, clock)


class TestStatistics:
    def test_who_has_read_a_message_was_delivered_it_and_a_failure_is_no_delivery(self, db, clock, receipts):
        receipts(("sent", 0))
        receipts(("sent", 0), ("delivered", 2))
        receipts(("sent", 0), ("delivered", 2), ("read", 5))
        receipts(("sent", 0), ("undelivered", 2))

        with db.read() as tx:
            found = statistics.funnel(tx, DAY.since(clock()))
        assert (found.sent, found.delivered, found.read, found.failed) == (4, 2, 1, 1)

    def test_the_median_is_of_each_channel_from_sent_to_delivered(self, db, clock, receipts):
        for seconds in (1, 2, 9):
            receipts(("sent", 0), ("delivered", seconds))
        receipts(("sent", 1), ("delivered", 5), ("read", 60), address="whatsapp:+15550100001")
        receipts(("delivered", 3))
        receipts(("sent", 0), ("failed", 3))

        with db.read() as tx:
            found = statistics.speeds(tx, DAY.since(clock()))
        assert [(one.channel, one.measured, one.median.total_seconds()) for one in found] == [
            ("sms", 3, 2.0),
            ("whatsapp", 1, 4.0),
        ]

    def test_failures_fall_into_the_step_in_which_they_began(self, db, clock, receipts):
        now = clock()
        for age in (timedelta(0), timedelta(hours=1), timedelta(hours=23)):
            receipts(("failed", 0), error_code=30003, age=age)
        receipts(("sent", 0), ("delivered", 1))

        with db.read() as tx:
            steps, is_cut = statistics.failures(tx, DAY, now)
        assert (len(steps), is_cut) == (24, False)
        assert [n for n, step in enumerate(steps) if step] == [0, 22, 23]
        assert steps[0] == {30003: 1}

    def test_of_very_many_failures_the_newest_are_drawn(self, db, clock, receipts, monkeypatch):
        monkeypatch.setattr(statistics, "MOST_FAILURES", 2)
        for hours in (3, 2, 1):
            receipts(("failed", 0), age=timedelta(hours=hours))

        with db.read() as tx:
            steps, is_cut = statistics.failures(tx, DAY, clock())
        assert is_cut
        assert sum(sum(step.values()) for step in steps) == 2

    @pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.name)
    def test_a_period_ends_with_the_step_that_is_not_over_yet(self, period, clock):
        began, now = period.since(clock()), clock()

        assert timedelta(0) <= now - (began + (period.steps - 1) * period.step) < period.step + timedelta(seconds=1)


class TestCharts:
    def test_columns_are_piled_up_from_the_bottom(self):
        chart = columns([{"a": 1, "b": 3}, {}, {"b": 5}], ["a", "b"])

        assert (chart.top, chart.width) == (5, 30)
        assert [(block.key, block.y, block.height) for block in chart.columns[0].blocks] == [
            ("a", 80.0, 20.0),
            ("b", 20.0, 60.0),
        ]
        assert chart.columns[1].blocks == ()

    @pytest.mark.parametrize(
        ("number", "top"), [(0, 1), (1, 1), (3, 5), (5, 5), (6, 10), (101, 200), (50_001, 100_000)]
    )
    def test_the_axis_ends_at_a_number_that_is_good_to_read(self, number, top):
        assert round_up(number) == top
