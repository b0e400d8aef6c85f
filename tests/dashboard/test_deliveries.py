"""The page of deliveries: the numbers are those of the receipts, in the period that was chosen."""

import re
from datetime import timedelta
from html import unescape

import pytest

from tests.support.page_text import words
from tests.support.receipts import receipts_in


@pytest.fixture
def receipts(db, clock):
    return receipts_in(db, clock)


class TestPage:
    def test_nobody_reads_it_without_logging_in(self, visitor):
        assert visitor.get("/deliveries").status_code == 302

    def test_without_receipts_it_says_so(self, page):
        answer = page.get("/deliveries")

        assert answer.status_code == 200
        assert "No delivery receipt in the last 24 hours." in words(answer.text)

    def test_a_conversation_ends_up_in_the_funnel_and_a_failure_with_its_meaning_and_a_link_to_the_message(
        self, page, customer_writes, emulator, run_worker
    ):
        customer_writes("hello")
        emulator.carrier("+15550100002", error_code=30003, status="undelivered")
        customer_writes("hello", sender="+15550100002")
        run_worker()
        assert emulator.settle()
        run_worker()

        html = page.get("/deliveries").text
        read = words(html)
        assert "Sent 2 100 %" in read
        assert "Delivered 1 50.0 %" in read
        assert "Failed 1 50.0 %" in read
        assert "30003 1 the handset cannot be reached" in read
        assert "+15550100002 undelivered 30003 the handset cannot be reached" in read
        link = re.search(r'href="(/m/IM\w+)">Reply of “default”', html)[1]
        assert page.get(link).status_code == 302

    def test_a_reply_without_a_receipt_for_ten_minutes_is_shown_as_that_here_and_in_its_conversation(
        self, page, customer_writes, emulator, run_worker, clock
    ):
        emulator.faults(drop=1.0)
        emulator.inbound("STOP")  # of which Parley hears nothing: what it sends then, Twilio takes and tells no more of
        emulator.faults()
        sid = customer_writes("hello")["conversation_sid"]
        run_worker()
        clock.advance(590)
        assert "Sent, no receipt" not in words(page.get("/deliveries").text)
        assert "handed to Twilio" in words(page.get(f"/c/{sid}").text)
        clock.advance(20)

        assert "Sent, no receipt" in words(page.get("/deliveries").text)
        assert "sent, no receipt" in words(page.get(f"/c/{sid}").text)

    @pytest.mark.parametrize(
        ("period", "sent"),
        [("24h", 1), ("7d", 2), ("30d", 3), ("", 1), ("99y", 1)],
    )
    def test_the_period_is_chosen(self, period, sent, page, receipts):
        for age in (timedelta(hours=1), timedelta(days=3), timedelta(days=20), timedelta(days=40)):
            receipts(("sent", 0), age=age)

        assert f"Sent {sent} 100 %" in words(page.get(f"/deliveries?period={period}").text)

    def test_everything_drawn_is_a_table_too_and_nothing_is_styled_inline(self, page, receipts):
        for code in (30003, 30003, 30005, 30006, 30007, 30008, 63016):
            receipts(("failed", 0), error_code=code)

        html = page.get("/deliveries").text
        chart = re.search(r'<svg[^>]*role="img".*?</svg>', html, re.DOTALL)[0]
        assert "<title id=" in chart and "<desc id=" in chart
        assert len(re.findall(r'<rect class="colour-\d"', chart)) == 5
        assert "<title>other codes: 1</title>" in chart
        table = re.search(r'<details id="failures-by-time">.*?</details>', html, re.DOTALL)[0]
        assert re.findall(r'<td class="number">(\d+)</td>', table) == ["2", "1", "1", "1", "1", "1"]
        assert "style=" not in html and "<style" not in html and "onclick" not in html

    def test_hostile_names_stay_text(self, page, receipts):
        receipts(("failed", 0), address='<script>alert("x")</script>')

        html = page.get("/deliveries").text
        assert "<script>alert" not in html
        assert '<script>alert("x")</script>' in unescape(html)

    def test_a_failure_of_a_message_that_is_not_stored_leads_to_its_conversation(self, page, receipts):
        receipts(("failed", 0))

        assert 'href="/c/CH1">Conversation<' in page.get("/deliveries").text
