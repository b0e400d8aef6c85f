"""All commands of Parley by their names, as `flask` finds them."""

import click

from app import config, create_app


def commands(group: click.Group, prefix: str = "") -> dict[str, click.Command]:
    found = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix}{name} ")
        else:
            found[prefix + name] = command
    return found


OURS = commands(create_app(config.from_environment({})).cli)
