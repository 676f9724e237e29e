"""Finds personal data, secrets and injected instructions in text, and does with them what a policy says."""
