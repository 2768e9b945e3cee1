"""Objects of a cluster -> Job: state, reason, attempts (pure).

A new reason goes where its cause is seen: `pod_reason` for a pod that does not run (a waiting reason, a
condition, an event), `exit_reason` for a container that has ended, `job_reason` for the job as a whole,
`kueue_reason` for a queue; `message_parsers` makes the sentence where the cause stands in prose alone.
"""
