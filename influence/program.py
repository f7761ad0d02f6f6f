"""What this program is called where it runs: in a checkout, or where a wheel was installed."""

from pathlib import Path

APP = Path(__file__).parents[1] / "wordtrace_app"  # where a wheel puts the app: see pyproject.toml
PROGRAM = "wordtrace" if APP.is_dir() else "python -m influence"  # the command, in messages that give one
