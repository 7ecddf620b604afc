"""Telling people and programs outside: the webhook and the completion mail."""
