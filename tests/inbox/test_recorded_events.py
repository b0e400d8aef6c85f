"""Which stored webhooks are about one message, on both databases."""

from app.inbox import admin


def types_about(app, message_sid):
    with app.extensions["parley"].db.read() as tx:
        ids = admin.ids_about_message(tx, message_sid)
        now = app.extensions["parley"].db.now(tx)
        return [admin.get_event(tx, now, number).event_type for number in ids]


def test_added_edited_and_removed_belong_to_a_message_and_others_do_not(app, post_webhook):
    post_webhook("onMessageAdded__chat_sdk")
    post_webhook("onMessageAdded__sms_text")
    post_webhook("onMessageUpdated__body_edited")
    post_webhook("onMessageRemoved__by_sdk")

    about = types_about(app, "IM00000000000000000000000000000012")
    assert about == ["onMessageAdded", "onMessageUpdated", "onMessageRemoved"]


def test_receipts_belong_to_the_message_they_are_for(app, post_webhook, run_worker):
    post_webhook("onDeliveryUpdated__sent")
    post_webhook("onDeliveryUpdated__read_whatsapp")
    post_webhook("onDeliveryUpdated__delivered")
    run_worker()

    assert types_about(app, "IM00000000000000000000000000000040") == ["onDeliveryUpdated", "onDeliveryUpdated"]
