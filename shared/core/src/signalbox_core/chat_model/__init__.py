"""The one client of language models that pipelines share: any endpoint of the OpenAI-compatible HTTP API. Not a pipeline."""
