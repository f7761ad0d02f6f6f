"""Wordtrace: the training examples, and the words in them, behind a text classifier's prediction.

    from influence import Workspace
    workspace = Workspace.open("workspaces/demo")
    workspace.explain("a dull film")                # a pandas frame; workspace.suspects(), .clusters(), .fixes() are others

A score above 0 is a proponent: training on that example lowered the loss on the explained label.
"""

from influence.attribution import DEFAULT_METHOD, METHODS, Method
from influence.errors import (
    DataError,
    ModelError,
    QueryError,
    SettingsError,
    WordtraceError,
    WorkspaceBusy,
    WorkspaceError,
    WorkspaceMissing,
    WorkspaceNewer,
)
from influence.explain import Explanation, Influence, Match, Sentence, Word, all_scores, explain
from influence.frames import Workspace, open_workspace
from influence.workspace import CheckpointInfo, TestFilter, WorkspaceInfo, list_workspaces

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "CheckpointInfo",
    "DataError",
    "Explanation",
    "Influence",
    "Match",
    "Method",
    "ModelError",
    "QueryError",
    "Sentence",
    "SettingsError",
    "TestFilter",
    "Word",
    "WordtraceError",
    "Workspace",
    "WorkspaceBusy",
    "WorkspaceError",
    "WorkspaceInfo",
    "WorkspaceMissing",
    "WorkspaceNewer",
    "all_scores",
    "explain",
    "list_workspaces",
    "open_workspace",
]
