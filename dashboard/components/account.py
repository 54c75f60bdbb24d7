"""The menu of the person who is logged in."""

from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboard.access import LOCAL, person
from dashboard.clientside import HIDDEN, attributes


def account_menu() -> list[Any]:
    """Name, role and log-out; nothing where the log-in is off."""
    who = person()
    if who is None or who is LOCAL:
        return []
    button = dmc.ActionIcon(
        html.Span(who.name[:1].upper(), **HIDDEN),
        id="account",
        variant="default",
        size=32,
        **attributes(aria_label=f"{who.name}, {who.role}: account"),
    )
    return [
        dmc.Menu(
            [
                dmc.MenuTarget(button),
                dmc.MenuDropdown(
                    [
                        dmc.MenuLabel(f"{who.name}, {who.role}"),
                        dmc.MenuItem("Log out", id="logout"),
                    ]
                ),
            ],
            position="bottom-end",
            # within its button's surroundings, so that no style is set on the page's root
            withinPortal=False,
        )
    ]
