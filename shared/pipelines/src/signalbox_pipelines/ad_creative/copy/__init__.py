"""Ad copy: offline templates, or a language model if one is configured."""
