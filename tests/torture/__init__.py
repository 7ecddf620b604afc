"""The destruction suite: `make torture`. Kills the real command at every call, breaks every step, compares.

`points` says where it can be struck, `plan` finds the places in an undisturbed run, `stage` is one worker's
cloud and processes, `scenes` plays one point, `ending` looks at how it ended, `report` makes the table.
"""
