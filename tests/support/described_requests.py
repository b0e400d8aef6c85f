"""Which requests Twilio describes: in its OpenAPI description, where it is at hand, and in a short list of our own."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DESCRIPTION = Path(__file__).parents[3] / "shared" / "twilio-oai" / "twilio_conversations_v1.json"
SERVICE = "/v1/Services/{ChatServiceSid}"
PAGING = "PageSize Page PageToken"
SHAPES = {"integer": r"-?\d+", "boolean": r"true|false|True|False", "number": r"-?[\d.]+"}
WEB_URL = r"https?://[^\s/]+.*"
DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"

# Names of paths and parameters, below /v1 and below /v1/Services/IS... alike.
_CONVERSATION = (
    "FriendlyName DateCreated DateUpdated MessagingServiceSid Attributes State Timers.Inactive Timers.Closed "
    "UniqueName Bindings.Email.Address Bindings.Email.Name"
)
_BINDING = "MessagingBinding.ProxyAddress MessagingBinding.ProjectedAddress"
_HOOK = "Configuration.Url Configuration.Method Configuration.Filters Configuration.Triggers Configuration.FlowSid"
_SCOPED = {
    "GET /Conversations": f"StartDate EndDate State {PAGING}",
    "POST /Conversations": _CONVERSATION,
    "GET /Conversations/{Sid}": "",
    "POST /Conversations/{Sid}": _CONVERSATION,
    "DELETE /Conversations/{Sid}": "",
    "GET /Conversations/{ConversationSid}/Participants": PAGING,
    "POST /Conversations/{ConversationSid}/Participants": "Identity MessagingBinding.Address DateCreated DateUpdated "
    f"Attributes RoleSid {_BINDING}",
    "GET /Conversations/{ConversationSid}/Participants/{Sid}": "",
    "POST /Conversations/{ConversationSid}/Participants/{Sid}": "DateCreated DateUpdated Attributes RoleSid Identity "
    f"LastReadMessageIndex LastReadTimestamp {_BINDING}",
    "DELETE /Conversations/{ConversationSid}/Participants/{Sid}": "",
    "GET /Conversations/{ConversationSid}/Messages": f"Order {PAGING}",
    "POST /Conversations/{ConversationSid}/Messages": "Author Body DateCreated DateUpdated Attributes MediaSid "
    "ContentSid ContentVariables Subject",
    "GET /Conversations/{ConversationSid}/Messages/{Sid}": "",
    "DELETE /Conversations/{ConversationSid}/Messages/{Sid}": "",
    "GET /Conversations/{ConversationSid}/Messages/{MessageSid}/Receipts": PAGING,
    "GET /Conversations/{ConversationSid}/Webhooks": PAGING,
    "POST /Conversations/{ConversationSid}/Webhooks": f"Target {_HOOK} Configuration.ReplayAfter",
    "POST /Conversations/{ConversationSid}/Webhooks/{Sid}": _HOOK,
    "DELETE /Conversations/{ConversationSid}/Webhooks/{Sid}": "",
    "POST /ConversationWithParticipants": f"{_CONVERSATION} Participant",
    "GET /ParticipantConversations": f"Identity Address {PAGING}",
    "GET /Roles": PAGING,
    "GET /Users/{Sid}": "",
    "GET /Configuration/Webhooks": "",
}
_AUTO_CREATION = " ".join(
    f"AutoCreation.{name}"
    for name in "Enabled Type ConversationServiceSid WebhookUrl WebhookMethod WebhookFilters StudioFlowSid "
    "StudioRetryCount".split()
)
_ACCOUNT = {
    "GET /v1/Services": PAGING,
    "POST /v1/Services": "FriendlyName",
    "GET /v1/Services/{Sid}": "",
    "DELETE /v1/Services/{Sid}": "",
    "GET /v1/Configuration": "",
    "POST /v1/Configuration/Webhooks": "Method Filters PreWebhookUrl PostWebhookUrl Target",
    f"POST {SERVICE}/Configuration/Webhooks": "Method Filters PreWebhookUrl PostWebhookUrl",
    "GET /v1/Configuration/Addresses": f"Type {PAGING}",
    "POST /v1/Configuration/Addresses": f"Type Address FriendlyName AddressCountry {_AUTO_CREATION}",
    "GET /v1/Configuration/Addresses/{Sid}": "",
    "POST /v1/Configuration/Addresses/{Sid}": f"FriendlyName {_AUTO_CREATION}",
    "DELETE /v1/Configuration/Addresses/{Sid}": "",
}
# What Twilio has no OpenAPI description of: its media service, and an API of another host.
# Source: conversations-classic/api/media-resource, phone-numbers/api/incomingphonenumber-resource, read 2026-11-22.
_BEYOND = {
    f"POST {SERVICE}/Media": "Filename",
    f"GET {SERVICE}/Media/{{Sid}}": "",
    f"GET {SERVICE}/Media/{{Sid}}/Content": "",
    "GET /2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers.json": "PageSize",
}


@dataclass(frozen=True)
class Operation:
    """A method and path, with the parameters it takes: their schema, or {} where only the name is known."""

    method: str
    path: str
    parameters: Mapping[str, Mapping[str, Any]]
    required: frozenset[str] = frozenset()

    def fits(self, method: str, path: str) -> bool:
        return method == self.method and bool(re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", self.path), path))


def our_operations() -> list[Operation]:
    """Return the operations that our commands need, as we know them."""
    in_scopes = {
        f"{method} {scope}{path}": names
        for key, names in _SCOPED.items()
        for method, path in [key.split(" ")]
        for scope in ("/v1", SERVICE)
    }
    return _listed(in_scopes | _ACCOUNT)


def operations_beyond() -> list[Operation]:
    """Return the operations that are not Conversations' own."""
    return _listed(_BEYOND)


@cache
def twilios_operations() -> list[Operation]:
    """Return every operation of Twilio's description, each parameter with its schema."""
    description = json.loads(DESCRIPTION.read_text())
    found = []
    for path, item in description["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            content = item[method].get("requestBody", {}).get("content", {})
            schema = content.get("application/x-www-form-urlencoded", {}).get("schema", {})
            query = {one["name"]: one["schema"] for one in item[method].get("parameters", ()) if one["in"] == "query"}
            parameters = {
                name: _resolved(description, one) for name, one in (query | schema.get("properties", {})).items()
            }
            found.append(Operation(method.upper(), path, parameters, frozenset(schema.get("required", ()))))
    return found


def faults(operations: Iterable[Operation], request: Mapping[str, Any]) -> list[str]:
    """Return what in a request is not as it is described; nothing when it is valid."""
    where = f"{request['method']} {request['path']}"
    fitting = [one for one in operations if one.fits(request["method"], request["path"])]
    if not fitting:
        return [f"{where}: there is no such operation"]
    given = [*request["query"], *request["form"]]
    return [f"{where}: {fault}" for fault in _faults_of_parameters(fitting[0], given)]


def _faults_of_parameters(operation: Operation, given: Sequence[Sequence[str]]) -> list[str]:
    counts = Counter(name for name, _ in given)
    found = [f"{name} is missing" for name in operation.required - set(counts)]
    for name, value in given:
        schema = operation.parameters.get(name)
        if schema is None:
            found.append(f"{name} is no parameter")
        elif schema.get("type") == "array":
            found += _faults_of_value(name, value, schema.get("items", {}))
        else:
            found += [f"{name} is given {counts[name]} times"] if schema and counts[name] > 1 else []
            found += _faults_of_value(name, value, schema)
    return found


def _faults_of_value(name: str, value: str, schema: Mapping[str, Any]) -> list[str]:
    formats = {"date-time": DATE_TIME, "uri": WEB_URL}
    shape = formats.get(schema.get("format", "")) or SHAPES.get(schema.get("type", ""), ".*")
    rules = [
        (bool(re.fullmatch(shape, value, re.DOTALL)), f"is not of type {schema.get('format') or schema.get('type')}"),
        (bool(re.search(schema.get("pattern", ""), value)), f"does not match {schema.get('pattern')}"),
        ("enum" not in schema or value in schema["enum"], f"is not one of {schema.get('enum')}"),
        (len(value) >= schema.get("minLength", 0), "is too short"),
        (len(value) <= schema.get("maxLength", len(value)), "is too long"),
    ]
    return [f"{name}={value!r} {fault}" for holds, fault in rules if not holds]


def _listed(entries: Mapping[str, str]) -> list[Operation]:
    return [Operation(*key.split(" "), {name: {} for name in names.split()}) for key, names in entries.items()]


def _resolved(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return _resolved(description, description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    if "items" in schema:
        return {**schema, "items": _resolved(description, schema["items"])}
    return schema
