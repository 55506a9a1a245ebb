"""The operator's command, `signalbox-admin`: provision, keys, payload-keys, replay."""
