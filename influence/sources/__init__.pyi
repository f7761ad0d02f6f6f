from .opened import open_table as open_table
from .remote import is_remote as is_remote
from .streams import Stream as Stream
from .texts import (
    Chosen as Chosen,
    Column as Column,
    Joined as Joined,
    Labels as Labels,
    RowNumbers as RowNumbers,
    StoredTexts as StoredTexts,
)
