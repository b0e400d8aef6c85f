"""Twilio's own OpenAPI description, which is not part of this repository: its operations, and how an answer differs."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DESCRIPTION = Path(__file__).parents[3] / "shared" / "twilio-oai" / "twilio_conversations_v1.json"
Operation = tuple[str, str]  # method and path
Exchange = tuple[str, str, int, str]  # method, URL, status and body


def read(path: Path = DESCRIPTION) -> dict[str, Any]:
    """Return the description; raise FileNotFoundError where it is not beside the checkout."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def compare(description: dict[str, Any], exchanges: Iterable[Exchange]) -> tuple[set[Operation], list[str]]:
    """Return the operations that were answered as described, and everything that differs from the description."""
    operations, answered, differences = described_operations(description), set(), set()
    for method, url, status, text in exchanges:
        path = url.partition("twilio.com")[2] or url
        for operation, (pattern, responses) in operations.items():
            if operation[0] == method and pattern.fullmatch(path):
                found = _differences(description, operation, responses, status, text)
                differences |= set(found)
                answered |= set() if found else {operation}
    return answered, sorted(differences)


def _differences(
    description: dict[str, Any], operation: Operation, responses: dict[str, Any], status: int, text: str
) -> list[str]:
    where = " ".join(operation)
    if str(status) not in responses:
        return [f"{where} answered {status}: {text[:200]}"]
    if not text:
        return []
    schema = responses[str(status)]["content"]["application/json"]["schema"]
    return faults_in(description, schema, json.loads(text), where)


def described_operations(description: dict[str, Any]) -> dict[tuple[str, str], tuple[re.Pattern[str], Any]]:
    """Return (method, path) -> (URL pattern, responses) for every operation."""
    operations = {}
    for path, item in description["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/?]+", path) + r"(\?.*)?")
            operations[method.upper(), path] = (pattern, item[method]["responses"])
    return operations


def faults_in(description: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> list[str]:
    """Return what in a document differs from its schema: absent or unknown properties, types, formats."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if value is None:
        return [] if schema.get("nullable") else [f"{where} is null"]
    known: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    faults = [] if isinstance(value, known.get(schema.get("type", ""), object)) else [f"{where} has a wrong type"]
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{where} is {value!r}")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], str(value)):
        faults.append(f"{where} does not match {schema['pattern']}")
    if schema.get("format") == "date-time" and not re.fullmatch(r"[-\d]{10}T[\d:]{8}Z", str(value)):
        faults.append(f"{where} is no date of Twilio's form")
    properties = schema.get("properties", {})
    if properties and isinstance(value, dict):
        faults += [f"{where}.{name} is absent" for name in set(properties) - set(value)]
        faults += [f"{where}.{name} is unknown" for name in set(value) - set(properties)]
        for name in set(properties) & set(value):
            faults += faults_in(description, properties[name], value[name], f"{where}.{name}")
    if isinstance(value, list):
        for item in value:
            faults += faults_in(description, schema.get("items", {}), item, f"{where}[]")
    return faults
