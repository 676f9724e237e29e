"""The installer: from bare hosts and a bundle to an answered question."""
