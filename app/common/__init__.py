"""What every package may use, and what knows nothing of Twilio, messages or rules: files, addresses, text."""
