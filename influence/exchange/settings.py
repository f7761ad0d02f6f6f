"""What the command line and the page offer of tasks for annotation tools."""

TOOLS = {"label-studio": "Label Studio", "argilla": "Argilla", "prodigy": "Prodigy"}
DEFAULT_TOP = 200  # suspects that become tasks: what somebody judges before lunch
