"""An OpenID issuer for development and tests: metadata, keys and tokens over HTTP.

It does not authenticate users.
"""
