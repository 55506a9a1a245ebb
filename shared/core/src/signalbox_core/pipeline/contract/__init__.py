"""What gateway, workflow and activity agree on: the spec, messages, call options, failures."""
