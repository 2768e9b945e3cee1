"""Dev jobs: jobs that wait for a shell, and end by themselves when nobody has used them for a while."""
