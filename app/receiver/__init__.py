"""The endpoint that Twilio calls: checks the signature, stores, answers."""
