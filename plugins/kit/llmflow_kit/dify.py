"""What the SDK files of model plugins share; the one of two modules of the kit that know Dify's SDK."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from dify_plugin import get_current_session
from dify_plugin.config.logger_format import plugin_logger_handler
from dify_plugin.errors import model as errors
from dify_plugin.errors.model import CredentialsValidateFailedError, InvokeError

from llmflow_kit import faults, traces
from llmflow_kit.faults import Fault
from llmflow_kit.traces import Trace

log = logging.getLogger("llmflow")
log.setLevel(logging.INFO)
log.addHandler(plugin_logger_handler)


class Translated:
    """Mixed into an SDK model class, before it: faults reach Dify as the errors that each fault names."""

    labels: ClassVar[Mapping[str, str]]  # of the form's fields

    def check(self, model: str, credentials: Mapping[str, Any]) -> None:
        """Make one real call; raises the Fault that keeps the model from working."""
        raise NotImplementedError

    def validate_credentials(self, model: str, credentials: Mapping[str, Any]) -> None:
        """Try the form out; raises CredentialsValidateFailedError naming the field to mend."""
        try:
            self.check(model, credentials)
        except Fault as fault:
            raise CredentialsValidateFailedError(faults.describe(fault, self.labels)) from fault

    @property
    def _invoke_error_mapping(self) -> dict[type[InvokeError], list[type[Exception]]]:
        return {getattr(errors, name): kinds for name, kinds in faults.by_dify_error().items()}

    def _transform_invoke_error(self, error: Exception) -> InvokeError:
        """The SDK's error for `error`, with our text: the SDK would hide it or add the raw exception's."""
        if isinstance(error, InvokeError):
            return error
        trace = current_trace()
        if not isinstance(error, Fault):
            log.error("request %s failed: unexpected %s", trace.request_id, type(error).__name__)
            return InvokeError(f"The plugin failed ({type(error).__name__}); its log says more.")
        log.warning("request %s failed: %s", trace.request_id, type(error).__name__)
        translated: InvokeError = getattr(errors, error.dify)(faults.describe(error, self.labels))
        return translated


def current_trace() -> Trace:
    """The ids of the request that is being answered."""
    session = get_current_session()
    return traces.trace(session.message_id, session.session_id) if session else traces.trace(None, None)
