"""Where the plugin daemon starts this plugin: it speaks JSON lines on stdin and stdout."""

from dify_plugin import DifyPluginEnv, Plugin

plugin = Plugin(DifyPluginEnv())

if __name__ == "__main__":
    plugin.run()
