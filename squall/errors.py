"""The error that a person gets to read."""


class UserError(Exception):
    """Something a person can mend. Commands print its one line and exit with `exit_code`."""

    exit_code = 1


class UsageError(UserError):
    """Bad settings or arguments."""

    exit_code = 2
