"""What is told: what a rule or [notify] asks for, once for each cause, and nothing else."""

from standardwebhooks.webhooks import Webhook

from tests.support.notified import SECRET

HAND_OVER = """
[[rule]]
name = "ask for a person"
when = { keywords = ["human"] }
reply = "A colleague comes."
hand_over = true
"""
DEFAULT = '[[rule]]\nname = "default"\nreply = "Thanks."\n'
NOTIFY = '[notify]\nhand_over = "crm"\n'


def test_a_hand_over_is_told_signed_with_a_link_and_without_the_text(bot, crm):
    bot.rules(NOTIFY + HAND_OVER)
    bot.customer().says("human please")

    (post,) = crm.posts
    found = Webhook(SECRET).verify(post.body, post.headers)
    sid = found["data"]["conversation_sid"]
    assert found["type"] == "hand_over"
    assert found["data"]["rule"] == "ask for a person"
    assert found["data"]["link"] == f"https://bot.example.com/c/{sid}"
    assert b"human please" not in post.body
    assert b"+1555" not in post.body


def test_nothing_is_told_that_nobody_asks_for(bot, crm, stored):
    bot.rules(HAND_OVER + DEFAULT)
    bot.customer().says("human please")
    bot.customer("+15550100002").says("hello")

    assert (crm.posts, stored()) == ([], [])


def test_an_ordinary_message_writes_no_row(bot, stored):
    bot.rules(NOTIFY + HAND_OVER + DEFAULT)
    bot.customer().says("hello")

    assert bot.replies() == ["Thanks."]
    assert stored() == []


def test_a_rule_tells_whom_it_names_even_when_it_says_nothing(bot, crm):
    bot.rules('[[rule]]\nname = "complaint"\nwhen = { keywords = ["broken"] }\nnotify = "crm"\n' + DEFAULT)
    bot.customer().says("it is broken")

    assert [one.document["type"] for one in crm.posts] == ["rule"]
    assert bot.replies() == []


def test_a_silent_rule_may_tell(bot, crm):
    bot.rules('[[rule]]\nname = "spam"\nwhen = { keywords = ["win"] }\nstop = true\nnotify = "crm"\n' + DEFAULT)
    bot.customer().says("win win")

    assert [one.document["data"]["rule"] for one in crm.posts] == ["spam"]


def test_a_target_hears_once_of_a_cause_for_which_two_ask(bot, crm):
    bot.rules(NOTIFY + HAND_OVER + 'notify = "crm"\n')
    bot.customer().says("human")

    assert [one.document["type"] for one in crm.posts] == ["hand_over"]


def test_the_text_of_a_message_is_told_where_the_template_asks_for_it(bot, crm):
    words = '{ to = "crm", text = "{{ author }} says {{ text }} ({{ rule }}): {{ link }}" }'
    bot.rules(f"[notify]\nhand_over = {words}\n" + HAND_OVER)
    bot.customer().says("a human!")

    data = crm.posts[0].document["data"]
    assert data["text"] == f"+15550100001 says a human! (ask for a person): {data['link']}"


def test_a_template_that_fails_is_told_with_our_words(bot, crm):
    words = '{ to = "crm", text = "{{ attributes.name }}" }'
    bot.rules(f"[notify]\nhand_over = {words}\n" + HAND_OVER)
    bot.customer().says("a human!")

    assert (
        'handed over to a human (the template failed: it uses a value that is not there; add |default("...")'
        in (crm.posts[0].document["data"]["text"])
    )


def test_a_wait_that_nobody_ended_is_told(bot, crm):
    bot.rules(
        '[notify]\nunanswered = "crm"\n'
        + DEFAULT
        + '[[rule]]\nname = "late"\nwhen = { unanswered_for = "15m" }\nset_attributes = { late = true }\n'
    )
    bot.customer().says("hello")
    assert crm.posts == []
    bot.advance(minutes=16)

    assert [(one.document["type"], one.document["data"]["rule"]) for one in crm.posts] == [("unanswered", "late")]


def test_what_may_be_a_wish_to_opt_out_is_told_once(bot, crm):
    bot.rules('[notify]\nopt_out_wish = "crm"\n' + DEFAULT)
    ada = bot.customer()
    ada.says("please stop texting me")
    ada.says("stop texting me now")

    assert [one.document["type"] for one in crm.posts] == ["opt_out_wish"]
    assert b"texting" not in crm.posts[0].body


def test_a_target_that_the_setting_does_not_know_is_told_nothing(bot, crm, stored):
    bot.rules('[notify]\nhand_over = ["team", "crm"]\n' + HAND_OVER)
    bot.customer().says("human")

    assert [(row.target, row.state) for row in stored()] == [("crm", "sent")]


def test_a_redelivered_webhook_tells_once(post_webhook, run_worker, rules_file, crm):
    rules_file.write_text(NOTIFY + '[[rule]]\nname = "all"\nreply = "Hi."\nhand_over = true\n')
    post_webhook("onMessageAdded__sms_text")
    run_worker()
    post_webhook("onMessageAdded__sms_text")
    run_worker()

    assert len(crm.posts) == 1


def test_conversations_have_ids_of_their_own(bot, crm):
    bot.rules(NOTIFY + HAND_OVER)
    for number in range(3):
        bot.customer(f"+1555010000{number}").says("human")

    assert len(set(crm.ids)) == len(crm.ids) == 3
