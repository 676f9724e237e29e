"""Who is at an address: TEI answers at /info, Infinity at /models, each to the first request that it gets."""

from __future__ import annotations

from collections.abc import Callable

from llmflow_kit import faults
from llmflow_kit.faults import Rejected
from llmflow_kit.pooling import Asker, Known

from llmflow_embeddings import infinity, tei

AUTO, TEI, INFINITY = "auto", "tei", "infinity"
FIELD = "server"  # of the form, where one of these is chosen


def any_server(ask: Asker) -> Known:
    """What is served, by whichever server it is; raises a Fault."""
    return _first(lambda: tei.known(ask.get("/info")), lambda: _infinity(ask))


def only_tei(ask: Asker) -> Known:
    """What TEI serves; raises a Fault, which names the form's choice where another server answers."""
    return _first(lambda: tei.known(ask.get("/info")), lambda: _not_chosen("TEI"))


def only_infinity(ask: Asker) -> Known:
    """What Infinity serves; raises a Fault, which names the form's choice where another server answers."""
    return _first(lambda: _infinity(ask), lambda: _not_chosen("Infinity"))


READERS: dict[str, Callable[[Asker], Known]] = {AUTO: any_server, TEI: only_tei, INFINITY: only_infinity}


def _infinity(ask: Asker) -> Known:
    """Infinity at the address, or under /v1, which is cut off the address that the form holds."""
    return _first(
        lambda: infinity.known(ask.get("/models")), lambda: infinity.known(ask.get("/v1/models"), "/v1")
    )


def _first(one: Callable[[], Known], other: Callable[[], Known]) -> Known:
    """What `one` finds, or `other` where the server has no such address."""
    try:
        return one()
    except Rejected as fault:
        if fault.field != faults.ENDPOINT:
            raise
        return other()


def _not_chosen(name: str) -> Known:
    raise Rejected(f"The server does not answer as {name} does.", field=FIELD)
