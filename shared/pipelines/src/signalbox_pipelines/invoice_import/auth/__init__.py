"""Signing in to the portal: captcha questions, credentials, sessions."""
