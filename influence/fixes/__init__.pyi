from .apply import apply_fixes as apply_fixes
from .bundle import export_bundle as export_bundle
from .files import encode_fixes as encode_fixes, read_fixes as read_fixes, write_fixes as write_fixes
from .fixlist import Fix as Fix, FixList as FixList, fix_list as fix_list
from .rebuild import (
    Again as Again,
    build_again as build_again,
    built_again as built_again,
    free_name as free_name,
    prepare as prepare,
    refusal as refusal,
)
from .train_file import GivenColumns as GivenColumns
