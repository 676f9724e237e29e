"""What every tier gets."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile(
    "patient", deadline=None
)  # a busy machine is no failure: time is measured, never asserted
settings.load_profile("patient")

# A shell that runs tests in the background has SIGINT ignored, and programs inherit that: Ctrl-C would reach nobody.
# A handled signal is reset to its default in every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
