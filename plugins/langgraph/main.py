"""Where the plugin daemon starts this plugin: it speaks JSON lines on stdin and stdout."""

import gc
import os

for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
    os.environ[name] = (
        "false"  # the daemon hands its whole environment on, and one of these would send traces away
    )

from dify_plugin import DifyPluginEnv, Plugin  # noqa: E402 - what it loads looks at these variables
from llmflow_kit import stdout  # noqa: E402 - after the SDK, which patches what this builds on

stdout.use()
plugin = Plugin(DifyPluginEnv(MAX_REQUEST_TIMEOUT=3600))
gc.freeze()  # what is loaded stays, and need not be looked through again

if __name__ == "__main__":
    plugin.run()
