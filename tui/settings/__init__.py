"""What can be set, and how it is found: flag, `TRAINDECK_…`, the person's file, the site's file."""
