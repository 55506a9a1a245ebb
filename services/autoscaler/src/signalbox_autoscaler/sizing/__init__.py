"""The sizing algorithm: `decide` computes how many burst workers a queue needs. Pure: no I/O and no clock.

`decision` composes the rules: `launch_outcomes` (which launches produced workers), `capacity` and `rates`
(what the workers can do, and what they do), `demand` (the work, and the workers it takes), `probes` (whether
the backlog is real), `saturation` and `limits` (what bounds the number), `scale_in` (workers not needed).
"""

from signalbox_autoscaler.sizing.decision import decide

__all__ = ["decide"]
