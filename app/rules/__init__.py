"""The rules engine, without database or network: a message and facts become a decision with its trace."""
