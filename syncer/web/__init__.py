"""What the daemon serves (the page, metrics, health, events), and its alarms.

The decisions are pure: `syncer.web.alarms.rules`, `syncer.web.access`, `syncer.web.health`, `syncer.web.plots`. This
folder may import the engine and what is below it, but no command.
"""
