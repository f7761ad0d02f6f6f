from .answers import Answers as Answers, plan_answers as plan_answers, read_answers as read_answers
from .packing import (
    FIRST as FIRST,
    check_output as check_output,
    task_files as task_files,
    write_tasks as write_tasks,
    zipped as zipped,
)
from .settings import DEFAULT_TOP as DEFAULT_TOP, TOOLS as TOOLS
from .tasks import Task as Task, make_tasks as make_tasks, waiting as waiting
