"""Colours, type and spacing: the one place from which the style sheet, the components and the charts take them."""

from dataclasses import dataclass
from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Palette:
    """The colours of one scheme."""

    surface: str
    canvas: str
    text: str
    second: str
    control: str
    focus: str
    line: str
    closed: str
    mood: tuple[str, str, str, str, str, str, str]
    """Steps −3 to +3."""
    ink: tuple[str, str, str, str, str, str, str]
    """Text on the steps."""
    severity: dict[str, str]


LIGHT_INK, DARK_INK = "#FFFFFF", "#16191D"
LIGHT = Palette(
    surface="#FFFFFF",
    canvas="#F4F5F7",
    text="#16191D",
    second="#555D68",
    control="#7F8792",
    focus="#1D5FC4",
    line="#DFE2E7",
    closed="#EEF0F3",
    mood=("#7B3702", "#B45C02", "#E1A263", "#D2D6DC", "#78B2DB", "#3178BA", "#144589"),
    ink=(LIGHT_INK, LIGHT_INK, DARK_INK, DARK_INK, DARK_INK, LIGHT_INK, LIGHT_INK),
    severity={"critical": "#8E0B3A", "high": "#C92E63", "medium": "#5F6772", "info": "#868E99"},
)
DARK = Palette(
    surface="#1A1D21",
    canvas="#121417",
    text="#E6E9ED",
    second="#A3ABB5",
    control="#7A828D",
    focus="#7FB5FF",
    line="#30353C",
    closed="#23272D",
    mood=("#FEC675", "#EA8A22", "#B05D21", "#454A51", "#3578B8", "#4FA8E1", "#8ED6F6"),
    ink=(DARK_INK, DARK_INK, LIGHT_INK, LIGHT_INK, LIGHT_INK, DARK_INK, DARK_INK),
    severity={"critical": "#FF8FA8", "high": "#E0577F", "medium": "#8D95A0", "info": "#737B86"},
)
SCHEMES = {"light": LIGHT, "dark": DARK}

GLYPHS = {"critical": "◆", "high": "▲", "medium": "●", "info": "○"}
SEVERITIES = ("critical", "high", "medium", "info")
STATES = {"pending": "Pending", "firing": "Firing", "acknowledged": "Acknowledged", "resolved": "Resolved"}


def mood_color(palette: Palette, step: int) -> str:
    """Colour of a step, −3 to +3."""
    return palette.mood[step + 3]


def style_sheet() -> str:
    """The tokens as CSS variables, for both schemes."""
    return "".join(
        f':root[data-mantine-color-scheme="{name}"]{{color-scheme:{name};{_variables(palette)}}}\n'
        for name, palette in SCHEMES.items()
    )


def _variables(palette: Palette) -> str:
    plain = {
        name: getattr(palette, name) for name in ("surface", "canvas", "text", "second", "control", "focus", "line", "closed")
    }
    steps = {f"mood{step:+d}".replace("+", "p").replace("-", "n"): palette.mood[step + 3] for step in range(-3, 4)}
    inks = {f"ink{step:+d}".replace("+", "p").replace("-", "n"): palette.ink[step + 3] for step in range(-3, 4)}
    return "".join(f"--{name}:{color};" for name, color in {**plain, **steps, **inks, **palette.severity}.items())


def mantine_theme() -> dict[str, Any]:
    """The theme of dash-mantine-components."""
    shades = ["#E8F0FC", "#D0E0F8", "#A5C4F2", "#7FB5FF", "#5A93E4", "#3C7AD8", "#1D5FC4", "#1D5FC4", "#164B9B", "#0F3774"]
    dark = ["#E6E9ED", "#A3ABB5", "#8D95A0", "#7A828D", "#30353C", "#2A2F36", "#23272D", "#1A1D21", "#16191D", "#121417"]
    return {
        "fontFamily": FONT,
        "fontFamilyMonospace": "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
        "primaryColor": "squall",
        "primaryShade": {"light": 6, "dark": 3},
        "autoContrast": True,
        "colors": {"squall": shades, "dark": dark},
        "defaultRadius": 6,
        "fontSizes": {"xs": "12px", "sm": "13px", "md": "14px", "lg": "16px", "xl": "20px"},
        "spacing": {"xs": "4px", "sm": "8px", "md": "12px", "lg": "16px", "xl": "24px"},
        "headings": {"fontWeight": "600"},
        "cursorType": "pointer",
        "respectReducedMotion": True,
    }
