"""What goes wrong with services."""

from squall.errors import UserError


class ServiceError(UserError):
    """A service is not there or does not start; the message says what to do."""
