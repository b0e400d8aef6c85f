"""Facts a channel adds to a message: pressed button, profile name, metadata.

None of it is documented for Conversations webhooks; it is read where it comes.
Source: captures that users of other products have published (ButtonText, ButtonPayload, ChannelMetadata with a
ProfileName in data.context; AuthorFriendlyName of Event Streams), read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.twilio_api.form import read_attributes


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What came; absent values are "" and {}. `channel_metadata` is the JSON object as the channel wrote it."""

    button: str = ""
    button_payload: str = ""
    profile_name: str = ""
    channel_metadata: Mapping[str, Any] = field(default_factory=dict)


NOTHING = ChannelFacts()


def channel_facts(parameters: Mapping[str, str]) -> ChannelFacts:
    """Return what the parameters of a webhook, or the metadata in them, tell."""
    metadata = read_attributes(parameters.get("ChannelMetadata", ""))
    return ChannelFacts(
        button=parameters.get("ButtonText") or _text_of(metadata, "ButtonText"),
        button_payload=parameters.get("ButtonPayload") or _text_of(metadata, "ButtonPayload"),
        profile_name=parameters.get("ProfileName")
        or _text_of(metadata, "ProfileName")
        or parameters.get("AuthorFriendlyName", ""),
        channel_metadata=metadata,
    )


def _text_of(metadata: Mapping[str, Any], name: str) -> str:
    """Return a text of the metadata: they have it in data.context, in data or at the top."""
    data = metadata.get("data")
    context = data.get("context") if isinstance(data, Mapping) else None
    for place in (context, data, metadata):
        if isinstance(place, Mapping) and isinstance(found := place.get(name), str) and found:
            return found
    return ""
