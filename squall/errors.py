"""The error that a person gets to read, and how a command ends after which nothing is left to do."""

SKIPPED = 99
"""Exit status by which Airflow knows that a task, and what follows it, is to be skipped."""


class UserError(Exception):
    """Something a person can mend. Commands print its one line and exit with `exit_code`."""

    exit_code = 1


class UsageError(UserError):
    """Bad settings or arguments."""

    exit_code = 2
