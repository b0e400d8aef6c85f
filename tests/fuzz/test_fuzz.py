"""A short form of `make fuzz`, and proof that it sees a 5xx, an exception, a slow answer, and can send one again."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, abort

from tests.fuzz import mutations
from tests.fuzz.__main__ import main
from tests.fuzz.shots import Shot, send
from tests.fuzz.target import Target, target_app

COUNT = 800


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return target_app(tmp_path_factory.mktemp("fuzz"))


def test_no_request_makes_a_5xx_or_an_exception(target: Target) -> None:
    shots = [mutations.draw(7, number) for number in range(COUNT)]
    seen = [target.take(shot) for shot in shots]

    assert [(one.wrong, shot) for one, shot in zip(seen, shots, strict=True) if one.wrong] == []
    assert {one.status for one in seen} >= {200, 204, 400, 403, 404, 405}
    assert target.work(COUNT) == []


def test_a_request_with_the_same_number_is_the_same() -> None:
    assert mutations.draw(17, 412) == mutations.draw(17, 412)
    assert mutations.draw(17, 412) != mutations.draw(17, 413)


def test_a_shot_survives_being_written_to_a_file() -> None:
    shots = [mutations.draw(3, number) for number in range(200)]

    assert [Shot.from_json(json.loads(json.dumps(shot.to_json()))) for shot in shots] == shots


def raises() -> str:
    raise KeyError("x")


def is_slow() -> str:
    time.sleep(0.02)
    return "late"


@pytest.mark.parametrize(
    ("view", "wrong"),
    [
        pytest.param(lambda: abort(500), "answered 500", id="a 5xx"),
        pytest.param(raises, "raised KeyError: 'x'", id="an exception"),
        pytest.param(is_slow, "took 0.0 s, 3 times", id="a slow answer"),
        pytest.param(lambda: "fine", "", id="nothing"),
    ],
)
def test_what_is_wrong_is_seen(view: Callable[[], str], wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Flask(__name__)
    app.testing = True  # lets exceptions through, as a broken server would
    app.add_url_rule("/", view_func=view, endpoint="view")
    monkeypatch.setattr("tests.fuzz.shots.SLOW_SECONDS", 0.015)

    assert send(app, Shot("GET", "/", (), b"", None)).wrong == wrong


def test_a_request_that_did_harm_can_be_sent_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shot.json"
    shot = Shot("POST", "/conversations/webhook", (), b"EventType=onMessageAdded", "24")
    path.write_text(json.dumps({"wrong": "answered 500", "shot": shot.to_json()}))

    assert main(["--replay", str(path)]) == 0
    assert "POST /conversations/webhook: 403" in capsys.readouterr().err
