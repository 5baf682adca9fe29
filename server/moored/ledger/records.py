"""A container's snapshot as a versioned JSON record, and back.

Records outlive the program that wrote them: a new field needs a default, a changed meaning
needs a new version and a reading rule for the old one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from pydantic import TypeAdapter, ValidationError

from moored.model.events import Event, StartFailure
from moored.model.health import NOT_PROBED, Health
from moored.model.identity import ContainerId
from moored.model.intent import Intent
from moored.model.network import NONE, Attached
from moored.model.resources import Leftover, Resource
from moored.model.spec import Image, Spec
from moored.model.state import Snapshot, State
from moored.model.timeline import Timeline

VERSION: Final = 1
_STATES: Final = {kind.__name__: kind for kind in get_args(State)}
_STATE: Final[dict[str, TypeAdapter[State]]] = {
    name: TypeAdapter(kind) for name, kind in _STATES.items()
}


@dataclass(frozen=True)
class Record:
    """A snapshot without its state, whose class needs a name, and without its resources."""

    version: int
    id: ContainerId
    spec: Spec
    image: Image
    runtime: str
    created: datetime
    generation: int
    intent: Intent
    run: int
    failure: StartFailure | None
    started: datetime | None
    leftovers: tuple[Leftover, ...]
    last_start: Timeline | None
    state: str
    facts: Any
    attempts: int = 0
    restarts: int = 0
    oom_kills: int = 0
    health: Health = NOT_PROBED
    output_lost: datetime | None = None
    network: str = NONE
    networks: tuple[Attached, ...] = ()


_RECORD: Final = TypeAdapter(Record)
# Made once: making one takes as long as a commit.
_UNTOLD: Final[Any] = {"timeline": True, "spec": {"secrets", "configs"}}
"""What the record has, and goes with the record."""
_EVENT: Final[dict[type, TypeAdapter[Any]]] = {kind: TypeAdapter(kind) for kind in get_args(Event)}


class Unreadable(Exception):
    """A record that this version cannot make sense of."""


def write(snapshot: Snapshot) -> bytes:
    name = type(snapshot.state).__name__
    return _RECORD.dump_json(
        Record(
            version=VERSION,
            id=snapshot.id,
            spec=snapshot.spec,
            image=snapshot.image,
            runtime=snapshot.runtime,
            created=snapshot.created,
            generation=snapshot.generation,
            intent=snapshot.intent,
            run=snapshot.run,
            attempts=snapshot.attempts,
            restarts=snapshot.restarts,
            oom_kills=snapshot.oom_kills,
            health=snapshot.health,
            output_lost=snapshot.output_lost,
            network=snapshot.network,
            networks=snapshot.networks,
            failure=snapshot.failure,
            started=snapshot.started,
            leftovers=snapshot.leftovers,
            last_start=snapshot.last_start,
            state=name,
            facts=_STATE[name].dump_python(snapshot.state, mode="json"),
        )
    )


def read(record: bytes, *, revision: int, resources: tuple[Resource, ...]) -> Snapshot:
    try:
        stored = _RECORD.validate_json(record)
        state = _STATE[stored.state].validate_python(stored.facts)
    except (ValidationError, KeyError) as error:
        raise Unreadable(str(error).splitlines()[0]) from error
    if stored.version > VERSION:
        raise Unreadable(f"version {stored.version} is newer than {VERSION}")
    return Snapshot(
        id=stored.id,
        spec=stored.spec,
        image=stored.image,
        runtime=stored.runtime,
        created=stored.created,
        generation=stored.generation,
        intent=stored.intent,
        state=state,
        run=stored.run,
        attempts=stored.attempts,
        restarts=stored.restarts,
        oom_kills=stored.oom_kills,
        health=stored.health,
        output_lost=stored.output_lost,
        network=stored.network,
        networks=stored.networks,
        failure=stored.failure,
        started=stored.started,
        resources=resources,
        leftovers=stored.leftovers,
        last_start=stored.last_start,
        revision=revision,
    )


def write_event(event: Event) -> str:
    """Return the facts of an event as JSON, without what the record alone has."""
    adapter = _EVENT[type(event)]
    return json.dumps(adapter.dump_python(event, mode="json", exclude=_UNTOLD))
