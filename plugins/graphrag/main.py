"""Where the plugin daemon starts this plugin: it speaks JSON lines on stdin and stdout."""

import gc

import grpc.experimental.gevent
from dify_plugin import DifyPluginEnv, Plugin
from llmflow_kit import stdout

grpc.experimental.gevent.init_gevent()  # else one call to Milvus stops every other request of the process
stdout.use()
plugin = Plugin(DifyPluginEnv(MAX_REQUEST_TIMEOUT=600))
gc.freeze()  # what is loaded stays, and need not be looked through again

if __name__ == "__main__":
    plugin.run()
