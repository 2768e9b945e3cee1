"""The flag `--alert` of `wait`, and how that ends. Loads no rule: `wait` is quick without it."""

import argparse

from backend_client.alerts.alert import Alert
from backend_client.models.alert_thresholds import ON, parse_threshold


def alert_rules(text: str) -> dict[str, str]:
    """Parse what `--alert` says: "gpu-idle=30m,silent". Raises ArgumentTypeError, a sentence."""
    rules = {}
    for part in text.split(","):
        name, _, threshold = part.strip().partition("=")
        try:
            off = parse_threshold(name, threshold or ON) is None
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if off:
            raise argparse.ArgumentTypeError(f"{name}: an alert that is waited for cannot be off")
        rules[name] = threshold or ON
    return rules


class AlertFired(Exception):
    """An alert fired before the end that was waited for."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(alert.sentence)
        self.alert = alert
