"""What the tests of signatures sign: Twilio's published example, and a message of ours as a form and as a query."""

OFFICIAL_TOKEN = "12345"
OFFICIAL_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
JSON_URL = OFFICIAL_URL + "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"

VECTOR_URL = "https://bot.example.com/webhooks/twilio"
MESSAGE = {
    "AccountSid": "AC00000000000000000000000000000001",
    "Attributes": "{}",
    "Author": "+15550100001",
    "Body": "Hello, I need help",
    "ChatServiceSid": "IS00000000000000000000000000000002",
    "ConversationSid": "CH00000000000000000000000000000003",
    "DateCreated": "2026-08-11T13:03:28.879Z",
    "EventType": "onMessageAdded",
    "Index": "1",
    "MessageSid": "IM00000000000000000000000000000004",
    "MessagingServiceSid": "MG00000000000000000000000000000005",
    "ParticipantSid": "MB00000000000000000000000000000006",
    "RetryCount": "0",
    "Source": "SMS",
}
GET_QUERY = (
    "?AccountSid=AC00000000000000000000000000000001&Attributes=%7B%7D&Author=%2B15550100001"
    "&Body=Hello%2C+I+need+help&ChatServiceSid=IS00000000000000000000000000000002"
    "&ConversationSid=CH00000000000000000000000000000003&DateCreated=2026-08-11T13%3A03%3A28.879Z"
    "&EventType=onMessageAdded&Index=1&MessageSid=IM00000000000000000000000000000004"
    "&MessagingServiceSid=MG00000000000000000000000000000005"
    "&ParticipantSid=MB00000000000000000000000000000006&RetryCount=0&Source=SMS"
)
