from .apply import Applied as Applied, apply_fixes as apply_fixes, content as content, plan as plan
from .bundle import export_bundle as export_bundle
from .files import (
    encode_fixes as encode_fixes,
    in_markdown as in_markdown,
    neutralised as neutralised,
    read_fixes as read_fixes,
    write_fixes as write_fixes,
)
from .fixlist import Fix as Fix, FixList as FixList, fix_list as fix_list
from .imports import ImportPlan as ImportPlan, Misfit as Misfit, plan_import as plan_import, take_in as take_in
from .rebuild import (
    Again as Again,
    build_again as build_again,
    built_again as built_again,
    free_name as free_name,
    prepare as prepare,
    refusal as refusal,
)
from .train_file import (
    GivenColumns as GivenColumns,
    TrainFile as TrainFile,
    form_of as form_of,
    open_train_file as open_train_file,
    own_train_file as own_train_file,
    read_unchanged as read_unchanged,
    workspace_copy as workspace_copy,
)
