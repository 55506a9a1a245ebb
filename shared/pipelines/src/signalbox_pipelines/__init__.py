"""The pipelines that ship with Signalbox: each subpackage with a `contract.SPEC` is one; `model` is what they share."""
