"""How much less often a workspace's model is right than another's, on the test texts that both have."""

from influence.errors import SettingsError
from influence.experiments import compare
from influence.gate.measured import SHOWN, Measured, plain
from influence.workspace import read_workspace

_BROKEN = f"The first {SHOWN} that became wrong"


def drop(workspace: str, baseline: str) -> Measured:
    """How many of the shared test texts fewer are right than in the baseline; 0 where as many are, or more.

    Each is right by the labels of its own test file. Raises `SettingsError` where no test text is shared.
    """
    found = compare(read_workspace(baseline), read_workspace(workspace), tests_only=True)
    if not found.shared_tests:
        raise SettingsError(f"--workspace {workspace!r} and --baseline {baseline!r} have no test text in common")
    fewer = found.wrong[1] - found.wrong[0]
    changed = found.changed
    first = [plain(id) for id in changed[changed["kind"] == "broken"]["id"].head(SHOWN)]
    relabelled = f", {found.relabelled_tests:,} of them under another label" if found.relabelled_tests else ""
    what = f"fewer are right than in the baseline, {found.accuracies[0]:.1%} → {found.accuracies[1]:.1%}{relabelled}"
    return Measured(max(fewer, 0), found.shared_tests, "shared test texts", what, first, found.sentence, shown_as=_BROKEN)
