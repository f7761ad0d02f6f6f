"""What can go wrong, as one tree. Every message says what was wrong, the value, and the way out.

WordtraceError
├── DataError           a data file that cannot be used as it is
│   └── EncodingUnsure      a text file whose encoding a person has to say
├── ModelError          a model, tokenizer or checkpoint that cannot be used
├── SettingsError       an option with an impossible value
├── QueryError          a question about something that does not exist
├── LimitsBroken        data, or a workspace, beyond a limit that was set: no bad input, exit code 1
├── EngineError         other processes or machines that were to work and cannot, or did not come back
├── HubError            the Hugging Face Hub that could not be reached, or did not take what was to go there
└── WorkspaceError      a workspace that cannot be opened or written
    ├── WorkspaceMissing    there is none at that path
    ├── WorkspaceBusy       another process is building it
    ├── WorkspaceNewer      written by a newer Wordtrace
    └── WorkspaceDamaged    a file of it is not what was written
"""


class WordtraceError(Exception):
    """Base of every error a user can cause or mend; the command line turns it into one line and an exit code."""

    exit_code = 2


class DataError(WordtraceError):
    """A data file cannot be used as it is."""


class EncodingUnsure(DataError):
    """A text file is not Unicode, so a person has to say what it is; `offered` is what it may be, the likeliest first.

    Each encoding comes with what it makes of the first lines that tell: (line number, text).
    """

    def __init__(self, message: str, offered: dict[str, list[tuple[int, str]]]) -> None:
        super().__init__(message)
        self.offered = offered


class ModelError(WordtraceError):
    """A model, tokenizer or checkpoint cannot be used."""


class SettingsError(WordtraceError):
    """An option has an impossible value."""


class QueryError(WordtraceError):
    """The question names an example, label or method that does not exist."""


class LimitsBroken(WordtraceError):
    """What was measured is beyond a limit that was set for it: the answer to a question, so the exit code is another one."""

    exit_code = 1


class EngineError(WordtraceError):
    """Other processes or machines that were to work cannot, or did not come back."""


class HubError(WordtraceError):
    """The Hugging Face Hub cannot be reached, or did not take what was to go there."""


class WorkspaceError(WordtraceError):
    """A workspace cannot be opened or written."""


class WorkspaceMissing(WorkspaceError):
    """There is no workspace at that path, or its first build never finished."""


class WorkspaceBusy(WorkspaceError):
    """Another process is building this workspace."""


class WorkspaceNewer(WorkspaceError):
    """The workspace was written by a newer Wordtrace."""


class WorkspaceDamaged(WorkspaceError):
    """A file of the workspace is not what was written: changed, cut, swapped or gone."""
