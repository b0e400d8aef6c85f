"""The phone simulator of the offline loop (`flask dev`)."""
