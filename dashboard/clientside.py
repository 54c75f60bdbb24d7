"""What Dash's types do not say: attributes with dashes in their names, and callbacks that run in the browser."""

from typing import Any

from dash import ClientsideFunction, Dash


def attributes(**values: str) -> Any:
    """`aria_label="Pages"` as the attribute `aria-label`."""
    return {name.replace("_", "-"): value for name, value in values.items()}


HIDDEN = attributes(aria_hidden="true")


def clientside(app: Dash, function: str, *dependencies: Any, first: bool = False) -> None:
    """Register a function of assets/squall.js as a callback; `first`: also call it when its parts appear."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("squall", function), *dependencies, prevent_initial_call=not first
    )
