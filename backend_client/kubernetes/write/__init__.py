"""Create, stop, resume and delete the objects of a job; the server-side dry run."""
