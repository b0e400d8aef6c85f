"""What several slow tests start: a PostgreSQL that can fail, a front of it that can fall silent, web processes."""

from collections.abc import Iterator

import pytest

from tests.support.open_door import web_service
from tests.support.postgresql_server import Server
from tests.support.running_service import Service
from tests.support.silent_front import SilentFront, silent_front


@pytest.fixture(scope="module")
def failing_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def front(failing_server: Server) -> Iterator[SilentFront]:
    with silent_front(failing_server.folder) as front:
        yield front


@pytest.fixture(scope="module")
def service(front: SilentFront, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Web processes that live through all that the tests of a module do to their PostgreSQL."""
    with web_service(front.url, tmp_path_factory.mktemp("service") / "log") as service:
        yield service
