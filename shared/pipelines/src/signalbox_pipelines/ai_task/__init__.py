"""ai_task: summarise, extract, classify or write a text with a language model, or offline without one."""
