"""Tests of twilio_api."""
