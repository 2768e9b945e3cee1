"""The roles of accounts at a traindeck server: the server decides by them, admins give them."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may do, from the least to all of it."""

    VIEWER = "viewer"
    """Sees what is theirs and their team's, changes nothing."""
    RESEARCHER = "researcher"
    """Makes jobs, and acts on their own."""
    ADMIN = "admin"
    """Sees and does all."""
