from .joining import joined as joined
from .read import read_table as read_table, recognised as recognised
from .rewrite import rewritten as rewritten, save_rewritten as save_rewritten
from .table import AnnotatedTable as AnnotatedTable
from .votes import DISAGREE as DISAGREE, Vote as Vote, annotator_name as annotator_name, settled as settled
