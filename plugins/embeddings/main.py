"""Where the plugin daemon starts this plugin: it speaks JSON lines on stdin and stdout."""

import gc

from dify_plugin import DifyPluginEnv, Plugin
from llmflow_kit import stdout

stdout.use()
plugin = Plugin(DifyPluginEnv())
gc.freeze()  # what is loaded stays: a collection that looks through it keeps a token waiting for 30 ms and more

if __name__ == "__main__":
    plugin.run()
