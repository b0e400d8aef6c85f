"""Two customers who write and are answered, one of whom wants to be forgotten; and all that a database says."""

from sqlalchemy import func, select

from app.db.database import Database
from app.db.tables import metadata
from app.privacy import subject_search
from app.testing.bot_tester import BotTester

PERSON, OTHER = "+15550100001", "+15550100002"
RULES = """
[[rule]]
name = "greet"
reply = "Hi {{ author }}, thanks."
"""


def two_people_write(bot: BotTester) -> None:
    """Let both write, one of them with a name, a receipt and a picture."""
    bot.customer(PERSON).says("I am Annabelle Example, call +1 (555) 010-0001")
    bot.customer(PERSON).says("here is my picture", media=[{"content_type": "image/png", "filename": "Annabelle.png"}])
    bot.agent().says("Dear Annabelle Example, thank you.", to=PERSON)
    bot.customer(OTHER).says("I am Bob")


def texts(db: Database) -> str:
    """Return all that is in the database, as text; raw requests decoded."""
    found = []
    for table in metadata.sorted_tables:
        with db.read() as tx:
            found += [subject_search.texts_of(row) for row in tx.execute(select(table))]
    return "\n".join(found)


def counts(db: Database) -> dict[str, int]:
    """Return how many rows each table has."""
    with db.read() as tx:
        return {table.name: tx.scalar(select(func.count()).select_from(table)) or 0 for table in metadata.sorted_tables}
