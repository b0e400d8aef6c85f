"""A rules file with a rule of every kind: observed, by attributes, with actions, long, for the first message, late."""

RULES = """
[bot]
timezone = "Europe/Berlin"
hours = { mon-fri = "09:00-17:30" }
quiet_hours = { between = "23:00-06:00" }

[[rule]]
name = "watch"
when = { keywords = ["order"] }
stop = true
mode = "observe"

[[rule]]
name = "gold"
when = { attributes = { tier = "gold" }, participant_attributes = { "address.city" = "Bonn" } }
reply = "Hello {{ author }}, {{ attributes.tier }}."
cooldown = "1h"

[[rule]]
name = "person"
when = { keywords = ["human"] }
reply = "A colleague comes."
set_attributes = { topic = "{{ text }}" }
hand_over = true

[[rule]]
name = "long"
when = { keywords = ["terms"] }
reply = "{% for n in range(400) %}{{ n }} bottles. {% endfor %}"

[[rule]]
name = "greeting"
when = { first_contact = true }
reply = "Hello by {{ channel }}, we are {{ hours }}."
cooldown = "1d"

[[rule]]
name = "media"
when = { media = true, role = "vip" }
reply = "Nice picture."

[[rule]]
name = "still waiting"
when = { unanswered_for = "15m" }
reply = "We are on it."
quota = 1
"""
