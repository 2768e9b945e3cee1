"""Logs and the loss plot: screens, panes, search, and what they draw."""
