"""What `flask conversations` refuses, each with the next step, before anything is sent."""

import pytest

NOBODY = "CH" + "9".zfill(32)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["show", "CH42/Messages"],
            "the conversation 'CH42/Messages' cannot stand in a URL as it is; give its SID (CH...) instead",
            id="a path",
        ),
        pytest.param(
            ["close", NOBODY, "--yes", "--service", "IS7"],
            "'IS7' is not a SID that begins with IS and has 32 hexadecimal digits after it",
            id="service",
        ),
        pytest.param(
            ["list", "--start-date", "22.11.2026"], "'22.11.2026' is no day; write it like 2026-11-22", id="day"
        ),
        pytest.param(
            ["list", "--start-date", "2026-11-22", "--end-date", "2026-11-21"],
            "--start-date 2026-11-22 is after --end-date 2026-11-21; exchange them",
            id="days exchanged",
        ),
        pytest.param(
            ["list", "--address", "0049"],
            "'0049' is not a phone number; write it with + and the country code, like +15550100001",
            id="number",
        ),
        pytest.param(
            ["list", "--identity", "+15550100001"],
            "'+15550100001' is an address, not an identity; add it with --sms or --whatsapp",
            id="number as identity",
        ),
        pytest.param(
            ["list", "--identity", "ada", "--address", "+15550100001"],
            "give either --address or --identity, not both",
            id="address and identity",
        ),
        pytest.param(
            ["update", NOBODY],
            "nothing to change; give --friendly-name, --unique-name, --timers-inactive, "
            "--timers-closed or --messaging-service-sid",
            id="nothing to change",
        ),
        pytest.param(
            ["update", NOBODY, "--timers-inactive", "10m"],
            "the inactive timer '10m' is not an ISO 8601 duration; write it like PT10M, PT2H or P1D",
            id="timer",
        ),
        pytest.param(
            ["update", NOBODY, "--timers-inactive", "PT59S"],
            "the inactive timer PT59S is too short; the shortest is PT1M",
            id="short inactive timer",
        ),
        pytest.param(
            ["update", NOBODY, "--timers-closed", "PT9M59S"],
            "the closed timer PT9M59S is too short; the shortest is PT10M",
            id="short closed timer",
        ),
        pytest.param(
            ["update", NOBODY, "--unique-name", "a/b"],
            "the unique name 'a/b' cannot stand in a URL as it is; use letters, digits and . _ - only",
            id="unique name",
        ),
        pytest.param(
            ["update", NOBODY, "--messaging-service-sid", "MG1"],
            "'MG1' is not a SID that begins with MG and has 32 hexadecimal digits after it",
            id="messaging service",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(refused, emulator, arguments, sentence):
    assert refused("conversations", *arguments) == f"Error: {sentence}\n"
    assert emulator.requests() == []


def test_days_and_people_cannot_be_combined(app):
    arguments = ["conversations", "list", "--identity", "ada", "--start-date", "2026-11-22"]

    assert app.test_cli_runner().invoke(args=arguments).exit_code == 2
