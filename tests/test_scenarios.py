"""Whole stories: a customer writes, a reply goes out through the SDK, receipts come back."""

import json

import pytest

THANKS = "Thanks, we will be right back."


def test_an_inbound_message_gets_one_reply(customer_writes, run_worker, emulator):
    customer_writes("hello")
    run_worker()

    assert emulator.replies() == [THANKS]


def test_a_whatsapp_customer_gets_a_reply_and_its_delivery_is_logged_up_to_read(
    customer_writes, run_worker, emulator, flask_command
):
    customer_writes("hello", channel="whatsapp")
    run_worker()
    assert emulator.settle()
    run_worker()

    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert (delivery["status"], delivery["rule"]) == ("read", "default")
