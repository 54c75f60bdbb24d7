"""Reading `rules.yml`: every error is one line with the file and the line number."""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from squall.errors import UsageError
from squall.rules import RuleSet

Path = tuple[int | str, ...]
"""Keys and numbers that lead to a value."""


class RulesError(UsageError):
    """A file of rules is no good; the message is one line with the place."""


def parse_rules(text: str, source: str = "rules.yml") -> RuleSet:
    """Read rules.

    Args:
        source: what errors call the text.

    Raises:
        RulesError: `rules.yml:12: rules.0.when: …`.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RulesError(f"{source}:{line}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise RulesError(f"{source}:1: {str(error).splitlines()[0]}") from None
    if node is None:
        raise RulesError(f"{source}:1: it is empty")
    lines: dict[Path, int] = {}
    data = _read(node, (), lines, source, set())
    try:
        return RuleSet.model_validate(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise RulesError(f"{source}:{_line_of(problem['loc'], lines)}: {_said(problem)}") from None


def _read(node: yaml.Node, path: Path, lines: dict[Path, int], source: str, seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if id(node) in seen:
        raise RulesError(f"{source}:{line}: anchors and aliases are not supported")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name, at = str(key.value), key.start_mark.line + 1
            if name in found:
                raise RulesError(f"{source}:{at}: {name!r} stands there twice")
            lines[*path, name] = at
            found[name] = _read(value, (*path, name), lines, source, seen)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_read(value, (*path, number), lines, source, seen) for number, value in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise RulesError(f"{source}:{line}: {str(error).splitlines()[0]}") from None


def _line_of(place: Path, lines: Mapping[Path, int]) -> int:
    return next((lines[place[:length]] for length in range(len(place), -1, -1) if place[:length] in lines), 1)


def _said(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such field"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
