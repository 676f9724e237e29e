"""Where the plugin daemon starts this plugin: it speaks JSON lines on stdin and stdout."""

from dify_plugin import DifyPluginEnv, Plugin
from llmflow_kit import stdout

stdout.use()
plugin = Plugin(DifyPluginEnv(MAX_REQUEST_TIMEOUT=3600))

if __name__ == "__main__":
    plugin.run()
