"""Names the task that this program is about: everything that depends on the task asks it here.

What is measured or handed in takes a metric or a submission's form as a parameter whose default is this task's; files
are read through TASK.read and its like. So another task is another Task (a file like eedi.py) and one other line here.
"""

from shared.task.eedi import EEDI
from shared.task.task import Task

TASK: Task = EEDI
