"""Rules, without a database or a network: a message and what is known become a decision with its trace."""
