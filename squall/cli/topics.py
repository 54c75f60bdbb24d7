"""`squall topics`: create, check and describe the topics."""

import json
from typing import Annotated

import typer

from squall.errors import UsageError
from squall.settings import get_settings
from squall.topics import TOPICS, check_topics, create_topics, json_schema

app = typer.Typer(help="Create and check the topics, and print the schema of their records.", no_args_is_help=True)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]


@app.command()
def create(namespace: Namespace = "") -> None:
    """Create the topics that are missing."""
    from squall.embedded import addresses

    settings = get_settings().in_namespace(namespace)
    created = create_topics(settings, addresses(settings).bootstrap)
    print(f"{len(created)} topics created, {len(TOPICS) - len(created)} were there")


@app.command()
def check(namespace: Namespace = "") -> None:
    """Verify that all topics are there, with the partitions that the settings ask for."""
    from squall.embedded import addresses

    settings = get_settings().in_namespace(namespace)
    check_topics(settings, addresses(settings).bootstrap)
    print(f"{len(TOPICS)} topics are as they should be")


@app.command()
def schema(name: Annotated[str | None, typer.Argument(help="one topic; all where it is left out")] = None) -> None:
    """Print the JSON Schema of the records."""
    schemas = {topic.name: json_schema(topic) for topic in TOPICS if name in (None, topic.name)}
    if not schemas:
        raise UsageError(f"no topic {name}: there are {', '.join(topic.name for topic in TOPICS)}")
    print(json.dumps(schemas[name] if name else schemas, indent=2))
