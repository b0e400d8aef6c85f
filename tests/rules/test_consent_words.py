"""How people say that they want no more messages, in many spellings, and what the bot makes of each."""

from datetime import UTC, datetime

import pytest

from app.config import PROJECT
from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from app.twilio_api.addresses import channel_of

SHIPPED = load((PROJECT / "rules.toml").read_text(encoding="utf-8"))
PLAIN = load('[[rule]]\nname = "rest"\nreply = "Thanks."')
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SMS, WHATSAPP = "+15550100001", "whatsapp:+15550100001"
OUT, PERHAPS, ANSWERED = "opt-out word", "may opt out", "replied"


def code_of(text, rules=SHIPPED, author=WHATSAPP, **known):
    message = Inbound("IM1", "CH1", author, text, channel_of(author, ""), "", NOON)
    return decide(message, ConversationFacts(**known), rules, Policy("support-bot"), NOON).code


SPELLINGS = {
    OUT: [
        *(
            "STOP",
            "stop",
            "Stop!",
            " stop. ",
            "“Stop”",
            "*STOP*",
            "STOPALL",
            "Unsubscribe",
            "cancel",
            "END",
            "quit.",
            "revoke",
        ),
        *(
            "optout",
            "ALTO",
            "Baja.",
            "arret",
            "ARRÊT",
            "désabonner",
            "Stopp!",
            "Abmelden",
            "Sair",
            "PARAR",
            "disiscrivimi",
        ),
        *("afmelden", "Wypisz", "СТОП", "отписаться", "退订", "توقف"),
    ],
    PERHAPS: [
        # English
        *(
            "Stop. Thank you",
            "stop please",
            "STOP 🛑",
            "Stop 🙏🙏",
            "🛑",
            "opt out",
            "opt-out",
            "Opt me out pls",
            "stop all",
        ),
        *(
            "STOP STOP STOP",
            "stoooop",
            "S T O P",
            "I said STOP",
            "Who is this? Stop.",
            "Stop, you have the wrong number",
        ),
        *(
            "STOP\n\nSent from my iPhone",
            "Stop Sent from my Galaxy S24",
            "STOP\n-- \nJo Example\nExample Ltd",
            "Stop -Jo",
        ),
        *("please stop texting me", "Stop sending me messages!!", "don't text me again", "Do not contact me anymore"),
        *(
            "Dont message me",
            "No more messages please",
            "take me off your list",
            "Remove me from this list",
            "Leave me alone!",
        ),
        *(
            "UNSUBSCRIBE thanks",
            "please unsubscribe me",
            "cancel please",
            "Hello! Please stop these texts. I moved away.",
        ),
        *("stop spamming me", "STOP messaging this number or I will sue", "please never contact this number again"),
        *("wrong number stop", "PLEASE REMOVE THIS NUMBER FROM YOUR SYSTEM", "do not text", "un subscribe", "fuck off"),
        *("STOP thank you very much for understanding", "delete my data", "lösch meine Nummer", "Não quero mais"),
        *("St\u043ep", "st0p", "sto p", "🆂🆃🅾🅿", "🇸🇹🇴🇵", "请停止", "수신거부", "اوقف"),
        # Spanish
        *("Alto por favor", "BAJA gracias", "quiero darme de baja", "No me escriban más", "Dejen de mandarme mensajes"),
        *("no quiero recibir más mensajes", "¡Ya basta!", "Stop. Enviado desde mi iPhone", "déjenme en paz por favor"),
        # French
        *("Arrêtez svp", "stop s'il vous plaît", "Ne m'écrivez plus !", "Je veux me désabonner", "Arrêt, merci"),
        *("plus de messages svp", "Laissez-moi tranquille", "STOP\nEnvoyé de mon iPhone", "Désabonnez-moi merci"),
        # German
        *(
            "bitte stopp",
            "Stopp, danke",
            "Bitte keine Nachrichten mehr",
            "Ich möchte mich abmelden",
            "Lasst mich in Ruhe!",
        ),
        *(
            "Schreiben Sie mir nicht mehr",
            "Hört auf, mir zu schreiben",
            "STOP\nVon meinem iPhone gesendet",
            "Abmelden bitte",
        ),
        # Portuguese
        *(
            "Sair, obrigado",
            "por favor parem",
            "Não quero receber mensagens",
            "Pare de me mandar mensagens",
            "me tirem da lista",
        ),
        *("Quero sair da lista", "chega de mensagens!", "me deixem em paz por favor", "STOP Enviado do meu iPhone"),
        # Italian
        *(
            "basta grazie",
            "Non scrivetemi più",
            "smettetela di mandarmi messaggi",
            "voglio disiscrivermi",
            "Stop. Inviato da iPhone",
        ),
        *("disiscrivimi per favore", "niente messaggi grazie", "Lasciatemi in pace!", "Cancellatemi dalla lista."),
    ],
    ANSWERED: [
        *(
            "Where does the bus stop?",
            "please stop sending the wrong size",
            "can I cancel my order",
            "Yes, cancel",
            "the end",
        ),
        *(
            "I will stop by today",
            "please do not contact my husband",
            "do not text the driver",
            "please remove it from my order",
            "取消订单",
            "top 0",
            "Cancel. I ordered the wrong size",
            "please don't stop texting me",
            "my dog won't stop barking",
        ),
        *(
            "Alto Adige?",
            "quiero cancelar mi pedido",
            "mi pedido no llega",
            "je voudrais arrêter le taxi",
            "Wo hält der Bus?",
        ),
        *(
            "nicht abmelden!",
            "Stornieren Sie meine Bestellung",
            "Ainda não chega",
            "o ônibus vai parar aqui?",
            "va bene, grazie",
        ),
        *("quanto costa spedire a Capri?", "I like you guys", "thanks", "👍", "ok", "hello, is anybody there?", "4711"),
    ],
}
TABLE = [(text, code) for code, texts in SPELLINGS.items() for text in texts]


@pytest.mark.parametrize(("text", "code"), TABLE, ids=[f"{code}: {text}" for text, code in TABLE])
def test_a_wish_to_be_left_alone_is_told_from_an_ordinary_message(text, code):
    assert code_of(text) == code
    assert code_of(text, author="anna") == code


@pytest.mark.parametrize("text", SPELLINGS[PERHAPS])
def test_sentences_can_be_left_to_the_rules(text):
    rules = load('[bot]\nopt_out_sentences = false\n[[rule]]\nname = "rest"\nreply = "Thanks."')

    assert code_of(text, rules) == ANSWERED


@pytest.mark.parametrize(
    "word", ["STOP", "StopAll", "UNSUBSCRIBE", "cancel", "end", "quit", "revoke", "optout", "Genug!"]
)
@pytest.mark.parametrize("author", [SMS, WHATSAPP, "messenger:4711", "anna"])
def test_words_are_added_to_those_of_twilio(word, author):
    rules = load('[bot]\nopt_out_words = ["genug", "ABMELDEN"]\n[[rule]]\nname = "rest"\nreply = "Thanks."')

    assert code_of(word, rules, author) == OUT


@pytest.mark.parametrize(
    ("author", "code"), [(SMS, OUT), ("rcs:+15550100001", OUT), (WHATSAPP, ANSWERED), ("anna", ANSWERED)]
)
def test_a_word_is_taken_away_where_twilio_does_not_act_on_it(author, code):
    rules = load('[bot]\nno_opt_out_words = ["end"]\n[[rule]]\nname = "rest"\nreply = "Thanks."')

    assert code_of("End", rules, author) == code
    assert code_of("stop", rules, author) == OUT


def test_a_word_that_is_taken_away_is_no_wish_either():
    rules = load('[bot]\nno_opt_out_words = ["BAJA", "STOP"]\n[[rule]]\nname = "rest"\nreply = "Thanks."')

    assert code_of("baja, gracias", rules) == code_of("stop please", rules) == ANSWERED
    assert code_of("baja, gracias", rules, SMS) == PERHAPS


@pytest.mark.parametrize(
    ("author", "code"),
    [(SMS, "help word"), ("rcs:+15550100001", "help word"), (WHATSAPP, ANSWERED), ("anna", ANSWERED)],
)
@pytest.mark.parametrize("word", ["help", "INFO", "Help?"])
def test_a_rule_answers_help_where_twilio_answers_nothing(word, author, code):
    assert code_of(word, PLAIN, author) == code


def test_who_has_opted_out_is_not_asked_whether_they_want_to():
    assert code_of("please stop", opted_out=True) == "opted out"


def test_nothing_is_said_while_nobody_has_decided():
    assert code_of("hello", may_opt_out=True) == PERHAPS


def test_nothing_is_said_where_somebody_else_would_get_it_who_has_opted_out():
    assert code_of("hello", others_opted_out=True) == "opted out"


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (("hello", "please stop texting me"), PERHAPS),
        (("stop please", "where is my order?"), PERHAPS),
        (("stop please", "STOP"), OUT),
        (("hello", "where is my order?"), ANSWERED),
    ],
)
def test_a_wish_counts_among_several_messages_that_came_together(texts, code):
    message = Inbound("IM1", "CH1", WHATSAPP, "\n".join(texts), "whatsapp", "", NOON, texts=texts)

    assert decide(message, ConversationFacts(), PLAIN, Policy("support-bot"), NOON).code == code


def test_the_reason_names_the_words():
    message = Inbound("IM1", "CH1", WHATSAPP, "Please stop texting me, I moved", "whatsapp", "", NOON)

    assert decide(message, ConversationFacts(), PLAIN, Policy("support-bot"), NOON).reason == (
        'the message reads like a wish to opt out ("stop"); a person decides'
    )


def test_a_very_long_message_takes_no_time():
    assert code_of("stop the press " * 20_000) == ANSWERED
