"""`flask services`: conversation services are made, found and deleted."""

import pytest

SERVICE = "IS" + "9".zfill(32)


def test_a_service_is_created_with_its_friendly_name(flask_command, in_json):
    said = flask_command("services", "create", "--friendly-name", "Support Berlin")

    (made,) = [one for one in in_json("services", "list") if one["friendly_name"] == "Support Berlin"]
    assert said.splitlines()[0] == f"Created {made['sid']} (Support Berlin)."
    assert made["is_default"] is False


def test_the_list_marks_the_default_service(flask_command, in_json):
    in_json("services", "create", "--friendly-name", "Second")
    listed = flask_command("services", "list").splitlines()

    assert listed[0].split() == ["SID", "FRIENDLY", "NAME", "DEFAULT", "DATE", "CREATED"]
    assert [line.split()[-4] == "yes" for line in listed[1:]] == [True, False]


def test_the_list_has_a_limit(in_json):
    for name in ("Second", "Third", "Fourth"):
        in_json("services", "create", "--friendly-name", name)

    assert len(in_json("services", "list", "--limit", "2")) == 2


def test_a_service_is_shown_as_twilio_has_it(flask_command, in_json):
    made = in_json("services", "create", "--friendly-name", "Second")

    shown = in_json("services", "show", made["sid"])
    assert shown == made | {"is_default": False}
    assert flask_command("services", "show", made["sid"]).startswith(f"{made['sid']} (Second)\n  created 20")


def test_a_service_is_deleted_when_the_question_is_answered(app, in_json):
    sid = in_json("services", "create", "--friendly-name", "Second")["sid"]
    question = f"Delete {sid} (Second) with all its conversations, messages and users? [y/N]: "

    no = app.test_cli_runner().invoke(args=["services", "delete", sid], input="n\n")
    kept = [one["sid"] for one in in_json("services", "list")]
    yes = app.test_cli_runner().invoke(args=["services", "delete", sid], input="y\n")

    assert (no.exit_code, yes.exit_code) == (1, 0)
    assert no.output.startswith(question)
    assert sid in kept
    assert yes.output == f"{question}y\nDeleted {sid}.\n"
    assert sid not in [one["sid"] for one in in_json("services", "list")]


def test_deleting_the_default_service_is_asked_by_its_name(app, in_json):
    (default,) = in_json("services", "list")

    asked = app.test_cli_runner().invoke(args=["services", "delete", default["sid"]], input="n\n").output
    assert "the default service of the account, with all its conversations" in asked


def test_scripts_need_no_question(in_json):
    sid = in_json("services", "create", "--friendly-name", "Second")["sid"]

    assert in_json("services", "delete", sid, "--yes") == {"sid": sid, "deleted": True}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["create", "--friendly-name", "x" * 257],
            "the friendly name has 257 characters; give 1 to 256",
            id="long name",
        ),
        pytest.param(
            ["create", "--friendly-name", " "], "the friendly name has 1 characters; give 1 to 256", id="empty name"
        ),
        pytest.param(
            ["show", "IS42"],
            "'IS42' is not a SID that begins with IS and has 32 hexadecimal digits after it",
            id="short SID",
        ),
        pytest.param(
            ["delete", "../v1", "--yes"],
            "'../v1' is not a SID that begins with IS and has 32 hexadecimal digits after it",
            id="a path",
        ),
        pytest.param(
            ["show", SERVICE],
            f"there is no service {SERVICE} (20404); `flask services list` shows what there is",
            id="not there",
        ),
        pytest.param(
            ["delete", SERVICE],
            f"there is no service {SERVICE} (20404); `flask services list` shows what there is",
            id="nothing to delete",
        ),
    ],
)
def test_what_cannot_work_is_refused(refused, arguments, sentence):
    assert refused("services", *arguments) == f"Error: {sentence}\n"
