"""A small OpenID issuer for development and tests: metadata, keys and tokens over HTTP. It gives a token to anybody who asks."""
