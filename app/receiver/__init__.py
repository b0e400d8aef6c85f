"""The endpoint that Twilio calls: checks who calls, stores what comes, answers."""
