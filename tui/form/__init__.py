"""The job form: its screens, fields, suggestions, templates, autosave and submission."""
