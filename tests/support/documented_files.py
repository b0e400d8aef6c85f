"""What stands in the files for deployment and in docs/deploying.md, taken apart as far as tests need it."""

import json
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    """Return a fenced block of docs/deploying.md, counted from 0 among those of its language."""
    return str(re.findall(rf"^```{language}\n(.*?)^```", DEPLOYING, re.MULTILINE | re.DOTALL)[number])


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments, in order."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def instruction(name: str) -> str:
    """Return the arguments of the last instruction of this name: the one in force."""
    return [arguments for found, arguments in dockerfile() if found == name][-1]


def health_check() -> list[str]:
    """Return the command of the image's health check."""
    return list(json.loads(instruction("HEALTHCHECK").partition("CMD ")[2]))


def sent_to_docker(path: str) -> bool:
    """Return whether .dockerignore lets a file of the project through; the last line that fits decides."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    fitting = [line for line in lines if _fits(path, line.removeprefix("!"))]
    return not fitting or fitting[-1].startswith("!")


def _fits(path: str, pattern: str) -> bool:
    any_depth = pattern.removeprefix("**/")
    parts = path.split("/")
    if any_depth != pattern:
        return any(fnmatch(part, any_depth) for part in parts)
    return fnmatch(parts[0], pattern)


def build_image(folder: Path) -> Path:
    """Put into a folder what the Dockerfile copies, as far as .dockerignore lets it through; nothing is installed."""
    for arguments in (arguments for name, arguments in dockerfile() if name == "COPY"):
        *sources, _ = arguments.split()
        for source in sources:
            for file in [ROOT / source] if (ROOT / source).is_file() else sorted((ROOT / source).rglob("*")):
                name = str(file.relative_to(ROOT))
                if file.is_file() and sent_to_docker(name):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, folder / name)
    (folder / "instance").mkdir()
    return folder


def compose_services(file: Path = ROOT / "compose.yaml") -> dict[str, str]:
    """Return the lines of each service in a compose file."""
    text = file.read_text(encoding="utf-8")
    services = text.partition("services:\n")[2].partition("\nvolumes:\n")[0]
    _, *parts = re.split(r"^  (\w+):\n", services, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))
