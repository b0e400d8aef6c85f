"""What the emulator refuses because Twilio would, row by row of a table; and what `--lenient` lets through."""

from collections.abc import Iterator

import pytest
import requests

from app.emulator.client import Emulator
from tests.emulator.refusals import NOBODYS, TABLE, Refused
from tests.support.webhook_receiver import ACCOUNT_SID, AUTH_TOKEN

ROWS = [pytest.param(row, id=row.name) for row in TABLE]
ONLY_STRICT = [pytest.param(row, id=row.name) for row in TABLE if not row.always]


class World:
    """An emulator with a conversation, a participant, a template and roles, as the table names them."""

    def __init__(self, emulator: Emulator) -> None:
        self._url = f"{emulator.url}/v1"
        emulator.reset()
        service = self.call("GET", "/Configuration")["default_chat_service_sid"]
        roles = self.call("GET", f"/Services/{service}/Roles")["roles"]
        conversation = self.call("POST", "/Conversations", {})["sid"]
        self.call("POST", f"/Conversations/{conversation}/Participants", {"Identity": "ben"})
        self._names = {
            "conversation": conversation,
            "service": service,
            "template": f"HX{NOBODYS}",
            "service_role": next(role["sid"] for role in roles if role["type"] == "service"),
            "conversation_role": next(role["sid"] for role in roles if role["type"] == "conversation"),
        }

    def call(self, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, str]:
        return requests.request(method, self._url + path, data=form, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60).json()

    def ask(self, row: Refused) -> requests.Response:
        form = {name: self._filled(value) for name, value in row.form.items()}
        path, auth = self._filled(row.path), (row.account, AUTH_TOKEN)
        return requests.post(self._url + path, form, headers=row.headers, auth=auth, timeout=60)

    def _filled(self, text: str) -> str:
        for name, value in self._names.items():
            text = text.replace("{" + name + "}", value)
        return text


@pytest.fixture(scope="module")
def strict() -> Iterator[Emulator]:
    with Emulator.start(owned=[f"HX{NOBODYS}"]) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def lenient() -> Iterator[Emulator]:
    with Emulator.start(lenient=True) as emulator:
        yield emulator


def test_the_table_has_forty_rows_and_each_names_its_source():
    assert len(TABLE) >= 40
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert [row.name for row in TABLE if len(row.source) < 20] == []


@pytest.mark.parametrize("row", ROWS)
def test_what_twilio_would_refuse_is_refused_with_its_code(strict, row):
    answer = World(strict).ask(row)

    assert (answer.status_code, answer.json().get("code")) == (row.status, row.code), answer.text


@pytest.mark.parametrize("row", ONLY_STRICT)
def test_lenient_takes_it(lenient, row):
    answer = World(lenient).ask(row)

    assert answer.status_code < 300, answer.text


def test_a_refused_role_leaves_no_user_behind(strict):
    world = World(strict)
    row = next(row for row in TABLE if row.name == "RoleSid of a conversation role for a user")
    world.ask(row)

    assert [user["identity"] for user in world.call("GET", "/Users")["users"]] == ["ben"]
