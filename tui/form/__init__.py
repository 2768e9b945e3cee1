"""The job form: its screens, fields, drafts, templates, and how it submits."""
