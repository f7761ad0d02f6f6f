from .build import IndexBuilder as IndexBuilder
from .compact import compacted as compacted, expanded as expanded, remainder_step as remainder_step
from .kernels import add_products as add_products
from .plan import (
    EXAMPLE_FILE as EXAMPLE_FILE,
    FIRST_ALIKE as FIRST_ALIKE,
    PLAN as PLAN,
    REST as REST,
    TOP as TOP,
    IndexSettings as IndexSettings,
    Segment as Segment,
    plan_segments as plan_segments,
    read_plan as read_plan,
    rows_file as rows_file,
    save_plan as save_plan,
)
from .postings import Postings as Postings, row_blocks as row_blocks
from .resident import ResidentRows as ResidentRows
from .split import SplitSegments as SplitSegments
from .writer import write_segment as write_segment
