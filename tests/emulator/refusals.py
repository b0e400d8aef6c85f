"""Requests that Twilio would refuse, each with its code and where that is written; {names} are filled in."""

from dataclasses import dataclass, field

from tests.support.webhook_receiver import ACCOUNT_SID

NOBODYS = "0123456789abcdef" * 2
C, HOOKS, MESSAGES, PEOPLE = (
    f"/Conversations/{{conversation}}{it}" for it in ("", "/Webhooks", "/Messages", "/Participants")
)
GLOBAL, OF_SERVICE = "/Configuration/Webhooks", "/Services/{service}/Configuration/Webhooks"
HOOK = {"Target": "webhook", "Configuration.Url": "https://a.example/x", "Configuration.Filters": "onMessageAdded"}
ADDRESS = {"Type": "sms", "Address": "+15550100099", "AutoCreation.Enabled": "true"}
BY_WEBHOOK = ADDRESS | {"AutoCreation.Type": "webhook", "AutoCreation.WebhookUrl": "https://a.example/x"}
ROLE = {"FriendlyName": "agent", "Type": "conversation", "Permission": "sendMessage"}
ERRORS, OAI = "twilio.com/docs/api/errors/{}", "OpenAPI description of 2026-04-14: {}"
OVERRIDES = "usage/webhooks/webhooks-connection-overrides: not for Conversations"


@dataclass(frozen=True)
class Refused:
    """A request that Twilio would refuse: how, and where that is written. `always`: also when all is lenient."""

    name: str
    path: str
    form: dict[str, str]
    code: int
    source: str
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)
    account: str = ACCOUNT_SID
    always: bool = False


def _role(name: str, path: str, form: dict[str, str], code: int = 50100) -> Refused:
    return Refused(name, path, form, code, ERRORS.format(code))


TABLE = (
    _role("RoleSid malformed", PEOPLE, {"Identity": "ann", "RoleSid": "RL1"}),
    _role("RoleSid empty", PEOPLE, {"Identity": "ann", "RoleSid": ""}),
    _role("RoleSid unknown", PEOPLE, {"Identity": "ann", "RoleSid": f"RL{NOBODYS}"}),
    _role(
        "RoleSid of a service role for a participant", PEOPLE, {"Identity": "ann", "RoleSid": "{service_role}"}, 50109
    ),
    _role("RoleSid unknown in an update", f"{PEOPLE}/ben", {"RoleSid": f"RL{NOBODYS}"}),
    _role("RoleSid of a conversation role for a user", "/Users", {"Identity": "zoe", "RoleSid": "{conversation_role}"}),
    _role("RoleSid unknown in a user's update", "/Users/ben", {"RoleSid": f"RL{NOBODYS}"}),
    _role(
        "default role of the wrong kind",
        "/Services/{service}/Configuration",
        {"DefaultConversationRoleSid": "{service_role}"},
        50109,
    ),
    _role("default role unknown", "/Services/{service}/Configuration", {"DefaultChatServiceRoleSid": f"RL{NOBODYS}"}),
    Refused("permission unknown", "/Roles", ROLE | {"Permission": "sendMesage"}, 50104, ERRORS.format(50104)),
    Refused(
        "permission of the other kind of role",
        "/Roles",
        ROLE | {"Type": "service", "Permission": "sendMessage"},
        50104,
        "conversations-classic/api/role-resource: permission values",
    ),
    Refused(
        "permission unknown in an update",
        "/Roles/{conversation_role}",
        {"Permission": "fly"},
        50104,
        ERRORS.format(50104),
    ),
    Refused("role of no type", "/Roles", ROLE | {"Type": "channel"}, 50105, ERRORS.format(50105), always=True),
    Refused(
        "messaging service malformed", "/Conversations", {"MessagingServiceSid": "MG1"}, 50341, ERRORS.format(50341)
    ),
    Refused(
        "messaging service of the wrong kind",
        "/Conversations",
        {"MessagingServiceSid": f"IS{NOBODYS}"},
        50341,
        ERRORS.format(50341),
    ),
    Refused(
        "messaging service unknown",
        "/Conversations",
        {"MessagingServiceSid": f"MG{NOBODYS}"},
        50342,
        ERRORS.format(50342),
    ),
    Refused(
        "messaging service unknown in an update",
        C,
        {"MessagingServiceSid": f"MG{NOBODYS}"},
        50342,
        ERRORS.format(50342),
    ),
    Refused(
        "default messaging service malformed",
        "/Configuration",
        {"DefaultMessagingServiceSid": "MG"},
        50341,
        ERRORS.format(50341),
    ),
    Refused("ContentSid malformed", MESSAGES, {"ContentSid": "HX1"}, 50526, ERRORS.format(50526)),
    Refused("ContentSid of the wrong kind", MESSAGES, {"ContentSid": f"MG{NOBODYS}"}, 50526, ERRORS.format(50526)),
    Refused(
        "ContentSid unknown",
        MESSAGES,
        {"ContentSid": f"HX{NOBODYS[::-1]}"},
        50526,
        "inferred: templates are the account's own (content/content-api-resources); the code is that of 50526",
    ),
    Refused(
        "ContentVariables no JSON",
        MESSAGES,
        {"ContentSid": "{template}", "ContentVariables": "{'1': 'x'}"},
        50527,
        ERRORS.format(50527),
    ),
    Refused(
        "ContentVariables no object",
        MESSAGES,
        {"ContentSid": "{template}", "ContentVariables": '["x"]'},
        50527,
        ERRORS.format(50527),
    ),
    Refused(
        "ContentVariables without ContentSid",
        MESSAGES,
        {"Body": "hi", "ContentVariables": '{"1": "x"}'},
        50528,
        ERRORS.format(50528),
    ),
    Refused("Target of the global webhook", GLOBAL, {"Target": "studio"}, 20001, OAI.format("webhook, flex")),
    Refused("post-event URL none", GLOBAL, {"PostWebhookUrl": "bot.example.com/x"}, 50078, ERRORS.format(50078)),
    Refused("post-event URL by ftp", GLOBAL, {"PostWebhookUrl": "ftp://a.example/x"}, 50078, ERRORS.format(50078)),
    Refused("post-event URL without host", GLOBAL, {"PostWebhookUrl": "https:///x"}, 50078, ERRORS.format(50078)),
    Refused(
        "post-event URL with a space", GLOBAL, {"PostWebhookUrl": "https://a.example/x y"}, 50078, ERRORS.format(50078)
    ),
    Refused("post-event URL with #rc", GLOBAL, {"PostWebhookUrl": "https://a.example/x#rc=3"}, 50078, OVERRIDES),
    Refused("pre-event URL none", GLOBAL, {"PreWebhookUrl": "soon"}, 50077, ERRORS.format(50077)),
    Refused("a service's post-event URL none", OF_SERVICE, {"PostWebhookUrl": "/x"}, 50078, ERRORS.format(50078)),
    Refused(
        "a service's pre-event URL with #ct", OF_SERVICE, {"PreWebhookUrl": "https://a.example#ct=9"}, 50077, OVERRIDES
    ),
    Refused("Method of the global webhook", GLOBAL, {"Method": "PUT"}, 50055, ERRORS.format(50055), always=True),
    Refused(
        "scoped hook by ftp",
        HOOKS,
        HOOK | {"Configuration.Url": "ftp://a.example/x"},
        20001,
        OAI.format("the absolute url the webhook request should be sent to"),
    ),
    Refused("scoped hook with #rc", HOOKS, HOOK | {"Configuration.Url": "https://a.example/x#rc=3"}, 20001, OVERRIDES),
    Refused(
        "scoped hook before a deed",
        HOOKS,
        HOOK | {"Configuration.Filters": "onMessageAdd"},
        50365,
        "conversations-classic/api/conversation-scoped-webhook-resource: post-event only; " + ERRORS.format(50365),
    ),
    Refused(
        "scoped hook for an unknown event",
        HOOKS,
        HOOK | {"Configuration.Filters": "onMessageSent"},
        50365,
        ERRORS.format(50365),
        always=True,
    ),
    Refused("scoped hook of no kind", HOOKS, HOOK | {"Target": "flex"}, 50364, ERRORS.format(50364), always=True),
    Refused("scoped hook without Target", HOOKS, HOOK | {"Target": ""}, 50368, ERRORS.format(50368), always=True),
    Refused(
        "scoped hook without URL", HOOKS, HOOK | {"Configuration.Url": ""}, 50369, ERRORS.format(50369), always=True
    ),
    Refused("studio hook without a flow", HOOKS, {"Target": "studio"}, 50367, ERRORS.format(50367)),
    Refused(
        "studio hook with another SID",
        HOOKS,
        {"Target": "studio", "Configuration.FlowSid": f"CH{NOBODYS}"},
        50367,
        ERRORS.format(50367),
    ),
    Refused(
        "autocreation by webhook without a URL",
        "/Configuration/Addresses",
        ADDRESS | {"AutoCreation.Type": "webhook"},
        50369,
        "twilio.com/docs/api/errors/45764: type webhook needs the URL; the code is that of a scoped webhook",
    ),
    Refused(
        "autocreation by webhook with #rc",
        "/Configuration/Addresses",
        BY_WEBHOOK | {"AutoCreation.WebhookUrl": "https://a.example/x#rc=2"},
        20001,
        OVERRIDES,
    ),
    Refused(
        "autocreation by webhook before a deed",
        "/Configuration/Addresses",
        BY_WEBHOOK | {"AutoCreation.WebhookFilters": "onMessageAdd"},
        50365,
        OAI.format("AutoCreation.WebhookFilters, ten post-event names"),
    ),
    Refused(
        "autocreation by studio without a flow",
        "/Configuration/Addresses",
        ADDRESS | {"AutoCreation.Type": "studio"},
        50367,
        OAI.format("AutoCreation.StudioFlowSid, pattern FW"),
    ),
    Refused(
        "X-Twilio-Webhook-Enabled: maybe",
        MESSAGES,
        {"Body": "hi"},
        20001,
        OAI.format("X-Twilio-Webhook-Enabled, true or false"),
        headers={"X-Twilio-Webhook-Enabled": "maybe"},
    ),
    Refused(
        "UniqueName like its own SID", "/Conversations", {"UniqueName": f"CH{NOBODYS}"}, 50390, ERRORS.format(50390)
    ),
    Refused("UniqueName like a SID in an update", C, {"UniqueName": f"CH{NOBODYS}"}, 50390, ERRORS.format(50390)),
    Refused(
        "another account's SID with our token",
        "/Conversations",
        {},
        20003,
        ERRORS.format(20003),
        status=401,
        account=f"AC{NOBODYS}",
    ),
)
