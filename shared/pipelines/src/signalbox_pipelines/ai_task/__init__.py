"""Pipeline ai_task: summarise, extract, classify or generate text, with a language model or offline."""
