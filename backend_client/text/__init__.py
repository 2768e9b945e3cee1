"""What is said of jobs, machines, queues, alerts: the same words on screen, command line and page.

Pure, and without a width: what lays out in cells is the screen's own. What is returned is clean.
"""
