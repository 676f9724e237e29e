"""What every tier gets."""

from __future__ import annotations

import signal

from hypothesis import settings

# A busy machine is no failure: time is measured, never asserted. Every run has other examples, so that many short runs
# see what one long run sees; `make test-contract` takes the long one.
settings.register_profile("short", deadline=None, max_examples=15)
settings.register_profile("long", deadline=None, max_examples=200)
settings.load_profile("short")

# A shell that runs tests in the background has SIGINT ignored, and programs inherit that: Ctrl-C would reach nobody.
# A handled signal is reset to its default in every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
