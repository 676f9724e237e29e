"""The event: a document's name out of the web request."""

from collections.abc import Mapping
from typing import Any

from dify_plugin.entities.trigger import Variables
from dify_plugin.errors.trigger import EventIgnoreError
from dify_plugin.interfaces.trigger import Event
from werkzeug import Request


class Made(Event):
    """A document was made."""

    def _on_event(
        self, request: Request, parameters: Mapping[str, Any], payload: Mapping[str, Any]
    ) -> Variables:
        said = request.get_json()
        if parameters.get("folder", said["folder"]) != said["folder"]:
            raise EventIgnoreError
        return Variables(variables={"name": said["name"], "n": payload.get("n", 0)})
