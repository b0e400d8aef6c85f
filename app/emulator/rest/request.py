"""What a REST view is given, and what it gives back; a route joins a path to a view."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response
from werkzeug.datastructures import MultiDict

from app.emulator.account import Cause, EmulatedAccount
from app.emulator.rest.paging import page
from app.emulator.rest.serializers import V1

Answer = tuple[int, dict[str, Any] | None]
View = Callable[..., Answer | Response]


@dataclass(frozen=True)
class RestCall:
    """One request: under which service, with which parameters, and whether webhooks are told."""

    account: EmulatedAccount
    service_sid: str
    in_service: bool
    form: MultiDict[str, str]
    args: dict[str, str]
    fires: bool

    @property
    def base(self) -> str:
        """Return the URL that the answer's own URLs begin with."""
        return f"{V1}/Services/{self.service_sid}" if self.in_service else V1

    @property
    def account_sid(self) -> str:
        """Return the SID of the emulated account."""
        return self.account.options.account_sid

    def with_service(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document, with the service's SID where it was asked for below a service."""
        return document | ({"chat_service_sid": self.service_sid} if self.in_service else {})

    @property
    def cause(self) -> Cause:
        """Return the cause of what this request changes."""
        return Cause("API", fires=self.fires)

    def page(
        self,
        items: Iterable[Any],
        path: str,
        key: str,
        largest: int,
        render: Callable[[Any], dict[str, Any]],
        *,
        descending: bool = False,
    ) -> Answer:
        """Return a page of a list; `path` is what follows the base URL."""
        url = self.base + path
        return 200, page(items, url=url, args=self.args, key=key, largest=largest, render=render, descending=descending)


@dataclass(frozen=True)
class Route:
    """A path below /v1 (and, if `scoped`, below /v1/Services/IS...) with its views by method."""

    path: str
    views: Mapping[str, View]
    scoped: bool = True
    unscoped: bool = True
