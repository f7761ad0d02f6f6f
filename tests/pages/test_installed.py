"""The wheel: what is in it and nothing else, what it asks for, and that the command and the app run from it alone."""

import email
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import ROOT, serve, stop

import influence
from influence.engines.cluster import GET_RAY
from influence.models.packaged import GET_DEMO

MADE_BY_RUNNING = ("__pycache__",)
NAME = f"wordtrace-{influence.__version__}"
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from influence.cli import script; sys.exit(script())"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, made of what belongs to a checkout: neither .git nor .venv."""
    pytest.importorskip("hatchling", reason="hatchling is not installed (requirements-dev.txt)")
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".git", ".venv*", "workspaces", "results", ".*_cache", ".hypothesis", *MADE_BY_RUNNING)
    shutil.copytree(ROOT, source, ignore=left_out)
    (source / "influence" / "__pycache__").mkdir()
    (source / "influence" / "__pycache__" / "junk.cpython-311.pyc").write_bytes(b"")
    (source / "workspaces").mkdir()
    (source / "workspaces" / "private.csv").write_text("not to be shipped")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=source, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl")


@pytest.fixture(scope="module")
def unpacked(built: Path, wheel: zipfile.ZipFile) -> Path:
    """The wheel as an installer lays it out, in a folder that is on nobody's path."""
    wheel.extractall(built / "unpacked")
    return built / "unpacked"


def files(folder: str) -> set[str]:
    """Every file of a folder of the repository but what running it makes."""
    found = (file for file in (ROOT / folder).rglob("*") if file.is_file())
    return {file.relative_to(ROOT).as_posix() for file in found if not set(file.parts) & set(MADE_BY_RUNNING)}


def test_the_wheel_holds_the_library_and_the_app_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    app = {"app.py", ".streamlit/config.toml", *files("pages"), *files("assets") - files("assets/readme")}
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    expected = files("influence") | {f"wordtrace_app/{name}" for name in app} | {f"{NAME}.dist-info/{name}" for name in about}
    assert set(wheel.namelist()) == expected
    for name in sorted(files("influence")):
        assert wheel.read(name) == (ROOT / name).read_bytes()
    for name in sorted(app):
        assert wheel.read(f"wordtrace_app/{name}") == (ROOT / name).read_bytes()


def test_the_source_distribution_makes_the_same_wheel(built: Path, wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as source:
        source.extractall(tmp_path, filter="data")
    made = {file.relative_to(tmp_path / NAME).as_posix() for file in (tmp_path / NAME).rglob("*") if file.is_file()}
    top = {name for name in made if "/" not in name}
    requirements = {f"requirements{of}.txt" for of in ("", "-demo", "-dev", "-ray")}
    texts = {"README.md", "CHANGELOG.md", "LICENSE", "Makefile"}
    assert top == {"app.py", "pyproject.toml", *requirements, *texts, "PKG-INFO", ".gitignore", ".pre-commit-hooks.yaml"}
    folders = files("influence") | files("pages") | files("assets") | files("docs") | files("tests")
    assert made - top == folders | {".streamlit/config.toml"}
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=tmp_path / NAME, check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / f"{NAME}-py3-none-any.whl") as again:
        assert {name: again.read(name) for name in again.namelist()} == {name: wheel.read(name) for name in wheel.namelist()}


def pins(name: str) -> set[str]:
    """The lines of a file of requirements, written as metadata writes them."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return {line.lower().replace("_", "-") for line in lines if line}


def test_its_metadata_are_those_of_the_files(wheel: zipfile.ZipFile) -> None:
    said: Message = email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
    asked: dict[str, set[str]] = {}
    for requirement in said.get_all("Requires-Dist", []):
        pin, _, marker = requirement.partition(";")
        asked.setdefault(re.sub(r"^ ?extra == '(.*)'$", r"\1", marker), set()).add(pin.strip())
    extras = {"demo": pins("requirements-demo.txt"), "ray": pins("requirements-ray.txt")}
    assert asked == {"": pins("requirements.txt"), **extras}
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", pin) for pins_of in asked.values() for pin in pins_of)
    assert (said["Name"], said["Version"], said["Requires-Python"]) == ("wordtrace", influence.__version__, ">=3.11")
    assert said["License-Expression"] == "MIT"
    entries = ConfigParser()
    entries.read_string(wheel.read(f"{NAME}.dist-info/entry_points.txt").decode())
    assert {name: dict(entries[name]) for name in entries.sections()} == {
        "console_scripts": {"wordtrace": "influence.cli:script"}
    }


def test_the_documents_name_this_wheel() -> None:
    named = re.findall(r"wordtrace-[\w.]+-py3-none-any\.whl", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == {f"{NAME}-py3-none-any.whl"}


def test_what_builds_it_is_pinned_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["build-system"]["requires"]) < pins("requirements-dev.txt")


def test_messages_name_the_pinned_packages() -> None:
    """Who has installed a wheel has no file of requirements to be sent to."""
    assert set(GET_DEMO.removeprefix("pip install --no-deps ").split()) == pins("requirements-demo.txt")
    assert {GET_RAY.removeprefix("pip install ")} == pins("requirements-ray.txt")


def ran(unpacked: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, from the unpacked wheel alone (-I: neither this folder nor the checkout is on the path)."""
    command = [sys.executable, "-I", "-c", RUN, str(unpacked), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_calls_itself_by_its_name(unpacked: Path, tmp_path: Path) -> None:
    helped = ran(unpacked, tmp_path, "query", "--help")
    assert (helped.returncode, helped.stdout.splitlines()[0][:24]) == (0, "usage: wordtrace query [")
    said = ran(unpacked, tmp_path, "frobnicate")
    assert said.returncode == 2
    assert said.stderr.startswith("wordtrace: argument COMMAND: invalid choice: 'frobnicate'")
    assert said.stderr.endswith("(see wordtrace --help)\n")
    lost = ran(unpacked, tmp_path, "suspects", "--workspace", "nope").stderr
    assert lost == "wordtrace: there is no workspace at 'nope'; make one with: wordtrace demo --workspace nope\n"
    assert ran(unpacked, tmp_path, "--version").stdout == f"wordtrace {influence.__version__}\n"


@pytest.fixture
def served(unpacked: Path, workspaces: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the app, served from the unpacked wheel alone."""
    process, address = serve(workspaces, program=[sys.executable, "-I", "-c", RUN, str(unpacked)], folder=tmp_path)
    command = Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8")
    assert str(unpacked / "wordtrace_app" / "pages" / "ui" / "frame" / "server.py") in command
    yield address
    stop(process)


@pytest.mark.slow
def test_the_app_runs_from_it(served: str, browser: Any) -> None:
    """Its pages, its components' scripts and styles, its configuration; nothing complains."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=served, color_scheme="light")
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("response", lambda answer: answer.status >= 400 and said.append(f"{answer.status} {urlsplit(answer.url).path}"))
    for address, sign in (("/", ".wt-figure"), ("/explore?id=test-1", ".card"), ("/review", "text=Who is reviewing?")):
        page.goto(address)
        page.locator(sign).first.wait_for(timeout=60_000)
        assert page.locator("[data-testid=stException]").count() == 0
    sidebar = "getComputedStyle(document.querySelector('[data-testid=stSidebar]')).backgroundColor"
    assert page.evaluate(sidebar) == "rgb(244, 246, 249)"  # of .streamlit/config.toml
    page.close()
    # Streamlit tries a page's own address for its base before the server's.
    assert set(said) <= {f"404 /{at}/_stcore/{what}" for at in ("explore", "review") for what in ("host-config", "health")}
