from .commands import main as main, script as script
from .progress import (
    FOR_PROGRAMS as FOR_PROGRAMS,
    ProgressEvent as ProgressEvent,
    Remark as Remark,
    duration as duration,
    read_line as read_line,
    size as size,
    size_in_words as size_in_words,
)
from .serve import add_serve_arguments as add_serve_arguments
