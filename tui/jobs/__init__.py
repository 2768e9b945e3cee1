"""The job list and one job's details: screens, widgets, and what they show."""
