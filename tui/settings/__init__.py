"""Settings: from flags, `TRAINDECK_…` variables, the user's file and the site's file."""
