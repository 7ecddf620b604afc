"""The guest: the PowerShell program that works on the target VM, and how it is rendered.

`common/` is what all phases use, `phases/` holds a file for each phase, `csharp/` the byte work. They are
read as text and joined by `vhdlift.guest.render`; nothing of them runs here. See `docs/guest.md`.
"""
