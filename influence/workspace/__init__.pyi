from .build import build_shard as build_shard, build_workspace as build_workspace, read_request as read_request
from .build_request import BuildRequest as BuildRequest, training_settings as training_settings
from .builds import (
    BACKUPS as BACKUPS,
    DATA_FOLDER as DATA_FOLDER,
    OPINIONS as OPINIONS,
    CheckpointInfo as CheckpointInfo,
    EpochInfo as EpochInfo,
    WorkspaceInfo as WorkspaceInfo,
    build_lock as build_lock,
    disk_full_explained as disk_full_explained,
    half_built as half_built,
    list_workspaces as list_workspaces,
    published_build as published_build,
    read_pointer as read_pointer,
    state_of_files as state_of_files,
)
from .database import (
    DamagedFile as DamagedFile,
    Database as Database,
    DerivedStore as DerivedStore,
    insert_arrow as insert_arrow,
    open_published as open_published,
    opened_alone as opened_alone,
    published as published,
    publishing as publishing,
)
from .demo import build_demo as build_demo, turned_labels as turned_labels
from .estimates import estimate_build as estimate_build
from .manage import (
    back_up as back_up,
    check_name as check_name,
    delete_workspace as delete_workspace,
    disk_use as disk_use,
    lets_go as lets_go,
    rename_workspace as rename_workspace,
    restore as restore,
    tidy_up as tidy_up,
)
from .result_tables import (
    ResultStore as ResultStore,
    StoredExample as StoredExample,
    in_id_order as in_id_order,
)
from .results import LEAST_PULL as LEAST_PULL, STORED_TOP as STORED_TOP
from .shape_tables import NO_LOCK as NO_LOCK, Migration as Migration, first_line as first_line
from .verify import Damage as Damage, Verified as Verified, verify_workspace as verify_workspace
from .workspace import (
    TestFilter as TestFilter,
    WorkspaceReader as WorkspaceReader,
    id_ranks as id_ranks,
    opened as opened,
    read_workspace as read_workspace,
)
