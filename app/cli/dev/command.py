"""`flask dev`: the offline loop, or with --live your real account through ngrok."""

from __future__ import annotations

import click

from app.cli.dev_loops import APP_PORT


@click.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), show_default="8000", help="Port of the app.")
@click.option("--emulator-port", type=click.IntRange(1, 65535), show_default="4010", help="Port of the emulator.")
@click.option("--story", "plays_story", is_flag=True, help="Play a short conversation of two customers.")
@click.option("--once", is_flag=True, help="End after the story; exit code 0 if it went as it should.")
@click.option(
    "--disorder/--no-disorder",
    default=True,
    help="A webhook in 200 comes twice, a receipt in 20 before its REST answer, as at Twilio.",
)
@click.option("--live", is_flag=True, help="Serve your real account through ngrok, and restore its webhook at the end.")
@click.option(
    "--ngrok-api", default="http://127.0.0.1:4040", show_default=True, help="With --live: ngrok's web interface."
)
def dev_command(
    port: int | None,
    emulator_port: int | None,
    plays_story: bool,
    once: bool,
    disorder: bool,
    live: bool,
    ngrok_api: str,
) -> None:
    """Run emulator, app and worker on this machine and show each event as it is worked off.

    Beside another one it takes the next free ports and a database of its own. With --live no emulator: your account
    calls the app through ngrok until you end it.

    Example: flask dev --story
    """
    if live:
        from app.cli.dev.live import run_live  # brings Twilio's SDK along: only when it is used

        if plays_story or once:
            raise click.UsageError("--live is for your real account, --story for the emulator; choose one")
        return run_live(port or APP_PORT, ngrok_api)
    if once and not plays_story:
        raise click.UsageError("--once ends after the story; add --story")
    from app.cli.dev.offline import OfflineSettings, run_offline

    return run_offline(OfflineSettings(port, emulator_port, plays_story, once, disorder))
