"""Where corrected data goes on the Hub: which repository, and which branch of it or a pull request."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from influence.errors import SettingsError

DEFAULT_PATH = "data/train.parquet"
CARD, FIXES, FIXES_BEFORE = "README.md", "fixes.parquet", "fixes-before.parquet"
MAIN = "main"
_NAME = r"(?!.{97})[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_REPOSITORY = re.compile(rf"(?!.*(?:--|\.\.|\.git$)){_NAME}/{_NAME}")
_BRANCH = re.compile(r"(?!refs/|.*(?:\.\.|//|/\.|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,199}(?<![./])")
_FILE = re.compile(r"(?!.*(?://|(?:^|/)\.))[A-Za-z0-9_][A-Za-z0-9_. +/-]{0,399}(?<![/. ])")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A data set's repository and what of it is written to. Raises `SettingsError` for names that the Hub cannot have."""

    repo: str  # OWNER/NAME
    branch: str | None = None  # None: a pull request
    private: bool = False  # make the repository, private, where there is none; refuse one that is public
    path: str = DEFAULT_PATH  # of the training data in the repository; its ending is its form
    message: str | None = None  # of the commit; None: the changes by action

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repo):
            kind = "OWNER/NAME, each of letters, digits, '-', '_' and '.'"
            raise SettingsError(f"--repo {self.repo[:100]!r} is no repository of the Hub: give {kind}")
        if self.branch is not None and not _BRANCH.fullmatch(self.branch):
            raise SettingsError(f"--branch {self.branch[:100]!r} is no name of a branch: give one such as corrections")
        if not _FILE.fullmatch(self.path) or self.path in (CARD, FIXES, FIXES_BEFORE):
            raise SettingsError(f"--path {self.path[:100]!r}: give a file in the repository, such as {DEFAULT_PATH}")
        if self.path == self.test_path:
            raise SettingsError(f"--path {self.path!r} is what the test part would be called; give one such as {DEFAULT_PATH}")
        if self.message is not None and not self.message.strip():
            raise SettingsError("--message is empty: say what the commit does, or leave it out")

    @property
    def suffix(self) -> str:
        """The ending of the training data: .parquet, or the one of the file's own form."""
        name = PurePosixPath(self.path)
        return "".join(name.suffixes[-2:] if name.suffix == ".gz" else name.suffixes[-1:]).lower()

    @property
    def test_path(self) -> str:
        """Where the test part goes: beside the training data, under the same name with `test` for `train`."""
        place = PurePosixPath(self.path)
        ending = place.name[len(place.name) - len(self.suffix) :]
        name = place.name.replace("train", "test", 1) if "train" in place.name else f"test{ending}"
        return str(place.with_name(name))

    @property
    def in_words(self) -> str:
        """What is written to, as it is shown."""
        return "a pull request" if self.branch is None else f"branch {self.branch!r}"
