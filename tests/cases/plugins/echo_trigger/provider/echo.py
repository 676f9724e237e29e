"""The provider: takes any web request for an event, and subscribes to nothing."""

from collections.abc import Mapping
from typing import Any

from dify_plugin.entities import trigger as entities
from dify_plugin.entities.provider_config import CredentialType
from dify_plugin.interfaces.trigger import Trigger, TriggerSubscriptionConstructor
from werkzeug import Request, Response


class Echo(Trigger):
    """Events that are made up."""

    def _dispatch_event(
        self, subscription: entities.Subscription, request: Request
    ) -> entities.EventDispatch:
        return entities.EventDispatch(
            events=["made"], response=Response("taken", status=202), payload={"n": 1}
        )


class Subscribing(TriggerSubscriptionConstructor):
    """A subscription that nobody else knows of."""

    def _validate_api_key(self, credentials: Mapping[str, Any]) -> None:
        if credentials["token"] == "wrong":
            raise ValueError("the token is wrong")

    def _create_subscription(
        self,
        endpoint: str,
        parameters: Mapping[str, Any],
        credentials: Mapping[str, Any],
        credential_type: CredentialType,
    ) -> entities.Subscription:
        return entities.Subscription(endpoint=endpoint, parameters=parameters, properties={"secret": "s"})

    def _delete_subscription(
        self,
        subscription: entities.Subscription,
        credentials: Mapping[str, Any],
        credential_type: CredentialType,
    ) -> entities.UnsubscribeResult:
        return entities.UnsubscribeResult(success=True, message="gone")

    def _refresh_subscription(
        self,
        subscription: entities.Subscription,
        credentials: Mapping[str, Any],
        credential_type: CredentialType,
    ) -> entities.Subscription:
        return subscription
