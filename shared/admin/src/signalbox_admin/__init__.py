"""The operator's command, `signalbox-admin`: provision, keys, replay."""
