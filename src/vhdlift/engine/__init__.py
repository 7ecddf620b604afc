"""Runs a plan: starts each step when what it needs is done, undoes all of it when one fails, and survives.

`store` keeps what others read (runs, events, facts, ledger), `workflow` is the durable part and the only
one that knows DBOS, `perform` does or undoes one step, `deliver` sends events to the webhook, `api` is
what the command line calls.
"""
