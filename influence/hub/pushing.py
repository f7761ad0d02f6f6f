"""One commit to the Hugging Face Hub, to a pull request or a branch; whatever goes wrong there is one line.

The token is the Hub library's own business: the environment (`HF_TOKEN`) or what `hf auth login` keeps.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from influence.errors import HubError, WordtraceError
from influence.hub.settings import CARD, FIXES, FIXES_BEFORE, MAIN, Destination
from influence.hub.upload import Upload
from influence.reading import SUFFIXES

PATIENCE = 30  # seconds for an answer to a question
NOT_THERE, TAKEN, MOVED = 404, 409, 412
SHOWN = 300  # characters of what others say


@dataclass
class Pushed:
    """What was done on the Hub."""

    files: dict[str, bytes]
    commit_url: str
    pull_request_url: str | None
    changed: bool = True  # False: the repository has it all already, and there is no new commit
    notes: list[str] = field(default_factory=list)


def push(upload: Upload, destination: Destination) -> Pushed:
    """Commit an upload. Raises `HubError` where the Hub cannot be reached, or does not let that happen."""
    with _one_line(destination) as hidden:
        token = _token()
        hidden.append(token)
        from huggingface_hub import HfApi

        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            made = _pushed(HfApi(token=token, library_name="wordtrace"), upload, destination)
        made.notes += [_plain(str(one.message), hidden) for one in heard if issubclass(one.category, UserWarning)]
        return made


def _token() -> str:
    from huggingface_hub import get_token

    found = get_token()
    if found is None:
        raise HubError("there is no token for the Hugging Face Hub: log in with `hf auth login`, or set HF_TOKEN")
    return str(found)


def _pushed(api: Any, upload: Upload, destination: Destination) -> Pushed:
    from huggingface_hub import CommitOperationAdd

    notes: list[str] = []
    there = _repository(api, destination, notes)
    if destination.branch not in (None, MAIN):
        there = _branch(api, destination, there, notes)
    names = [file.rfilename for file in there.siblings or []]
    existing = _card(api, destination.repo, there.sha) if CARD in names else None
    files = upload.files(existing)
    if others := _unnamed(names, files, existing):
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        notes.append(
            f"the card names what was uploaded as the data; other data files of the repository stay as they are: {shown}"
        )
    summary, _, more = (destination.message or upload.message).strip().partition("\n")
    commit = api.create_commit(
        destination.repo,
        [CommitOperationAdd(path, data) for path, data in files.items()],
        commit_message=summary,
        commit_description=more.strip(),
        repo_type="dataset",
        revision=destination.branch,
        create_pr=destination.branch is None,
        parent_commit=there.sha,
    )
    return Pushed(files, str(commit.commit_url), commit.pr_url, commit.oid != there.sha, notes)


def _repository(api: Any, destination: Destination, notes: list[str]) -> Any:
    """What the Hub knows of the repository; made, private, where that is asked for and there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = api.dataset_info(destination.repo, timeout=PATIENCE)
    except RepositoryNotFoundError as error:
        if not destination.private or error.response.status_code != NOT_THERE:
            raise
        api.create_repo(destination.repo, repo_type="dataset", private=True)
        notes.append(f"{destination.repo} was made, private")
        found = api.dataset_info(destination.repo, timeout=PATIENCE)
    if destination.private and not found.private:
        raise HubError(f"--private, but {destination.repo!r} is public: make it private on the Hub, or leave --private out")
    return found


def _branch(api: Any, destination: Destination, main: Any, notes: list[str]) -> Any:
    """What the Hub knows of the branch; begun from main where there is none of that name."""
    branches = {one.name for one in api.list_repo_refs(destination.repo, repo_type="dataset").branches}
    if destination.branch not in branches:
        api.create_branch(destination.repo, branch=destination.branch, repo_type="dataset")
        notes.append(f"{destination.in_words} was begun from {MAIN}")
        return main
    notes.append(f"{destination.in_words} was there and has one commit more")
    return api.dataset_info(destination.repo, revision=destination.branch, timeout=PATIENCE)


def _card(api: Any, repo: str, revision: str) -> str:
    """The card of the repository. Raises `HubError` for one that is no text."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    url = hf_hub_url(repo, CARD, repo_type="dataset", revision=revision, endpoint=api.endpoint)
    answer = get_session().get(url, headers=build_hf_headers(token=api.token), timeout=PATIENCE)
    hf_raise_for_status(answer)
    try:
        return bytes(answer.content).decode("utf-8")
    except UnicodeDecodeError as error:
        raise HubError(f"the {CARD} of {repo!r} is not UTF-8: mend it there first") from error


def _unnamed(names: list[str], files: dict[str, bytes], card: str | None) -> list[str]:
    """Data files of the repository that neither are uploaded nor, as far as can be seen, named in its card."""
    data = (name for name in names if PurePosixPath(name.removesuffix(".gz")).suffix.lower() in SUFFIXES)
    return [name for name in data if name not in (*files, FIXES, FIXES_BEFORE) and name not in (card or "")]


@contextmanager
def _one_line(destination: Destination) -> Iterator[list[str]]:
    """Whatever the libraries raise as a `HubError`, without what is put into the list: the token."""
    hidden: list[str] = []
    try:
        yield hidden
    except WordtraceError:
        raise
    except Exception as error:  # of five libraries, dozens of kinds
        raise HubError(_explained(error, destination, hidden)) from error


def _explained(error: Exception, destination: Destination, hidden: list[str]) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    repo, response = destination.repo, getattr(error, "response", None)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and a push needs the network: unset it"
    if response is not None:
        said = getattr(error, "server_message", None) or response.headers.get("X-Error-Message") or ""
        told = f" (the Hub says: {_plain(said, hidden)})" if said else ""
        status = response.status_code
        return f"{_REFUSED.get(status, _OTHERWISE).format(repo=repo, status=status, to=destination.in_words)}{told}"
    said = _plain(f"{type(error).__name__}: {error}", hidden)
    if type(error).__module__.startswith("httpx") or isinstance(error, ConnectionError | TimeoutError):
        return f"the Hugging Face Hub cannot be reached at {constants.ENDPOINT}, or broke off ({said})"
    return f"the push to {repo!r} did not come about ({said})"


_RIGHTS = "it needs write access to {repo!r}, or for a pull request that these are open there"
_REFUSED = {
    401: "the Hugging Face Hub does not accept the token (401): log in again with `hf auth login`, or set HF_TOKEN",
    403: f"the token has not the right to do that (403): {_RIGHTS}",
    NOT_THERE: "there is no data set {repo!r} on the Hub that this token can see (404): make it there, or with --private here",
    TAKEN: "{to} of {repo!r} has changed meanwhile (409): push again",
    MOVED: "{to} of {repo!r} has changed meanwhile (412): push again",
    413: "the Hub does not take so much at once (413): {repo!r}",
    429: "the Hub is asked too often (429): wait, and push again",
}
_OTHERWISE = "the Hub did not take the push to {repo!r} ({status})"


def _plain(text: str, hidden: list[str]) -> str:
    """Text from elsewhere on one line, cut, printable, and without the token."""
    for secret in hidden:
        text = text.replace(secret, "…")
    shown = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
