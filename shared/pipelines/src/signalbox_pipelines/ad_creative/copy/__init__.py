"""Writing the ad copy: templates offline, a language model where one is configured."""
