from .apart import add_files_apart as add_files_apart
from .asked import Asked as Asked
from .keeping import (
    Kept as Kept,
    add_files as add_files,
    add_rows as add_rows,
    forget as forget,
    keep as keep,
    kept_opinions as kept_opinions,
)
from .matched import Heard as Heard, heard as heard, state as state
from .reading_files import check_files as check_files, read_files as read_files
from .rows import OpinionRow as OpinionRow, as_jsonl as as_jsonl, write_rows as write_rows
from .voices import Voice as Voice, Voices as Voices
