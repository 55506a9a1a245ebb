"""The pipelines shipped with Signalbox, one subpackage each, with its `PipelineSpec` in `contract.SPEC`."""
