"""What the daemon serves, and its alarms: the page, metrics, health, events.

What is decided is pure and apart from what is asked of the network: `syncer.web.alarms.rules`, `syncer.web.access`,
`syncer.web.health`, `syncer.web.plots`. May import the engine and what is below it, never a command.
"""
