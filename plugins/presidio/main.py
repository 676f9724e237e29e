"""Where the plugin daemon starts this plugin: it speaks JSON lines on stdin and stdout."""

import gc

from dify_plugin import DifyPluginEnv, Plugin
from llmflow_kit import stdout
from llmflow_presidio import scan

scan.recognisers()  # a second's work, before the first request instead of in it
stdout.use()
plugin = Plugin(DifyPluginEnv(MAX_REQUEST_TIMEOUT=60))
gc.freeze()  # what is loaded stays, and need not be looked through again

if __name__ == "__main__":
    plugin.run()
