from .api import Workspace as Workspace, open_workspace as open_workspace
from .attribution import DEFAULT_METHOD as DEFAULT_METHOD, METHODS as METHODS, Method as Method
from .errors import (
    DataError as DataError,
    ModelError as ModelError,
    QueryError as QueryError,
    SettingsError as SettingsError,
    WordtraceError as WordtraceError,
    WorkspaceBusy as WorkspaceBusy,
    WorkspaceError as WorkspaceError,
    WorkspaceMissing as WorkspaceMissing,
    WorkspaceNewer as WorkspaceNewer,
)
from .explanations import (
    Explanation as Explanation,
    Influence as Influence,
    Match as Match,
    Sentence as Sentence,
    Word as Word,
    all_scores as all_scores,
    explain as explain,
)
from .workspace import (
    CheckpointInfo as CheckpointInfo,
    EpochInfo as EpochInfo,
    TestFilter as TestFilter,
    WorkspaceInfo as WorkspaceInfo,
    list_workspaces as list_workspaces,
)

__version__: str
