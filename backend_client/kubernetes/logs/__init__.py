"""The logs of a job's containers: read, resumed, merged.

What a byte passes on its way to `JobBackend.logs`, a module each:

    api/transport     the body of one answer, as bytes
    kubelet_lines     bytes -> lines with the times that the kubelet wrote before them
    line_resumer      lines -> those behind the last LogPosition (`positions`), or a Gap
    container_stream  as many answers as one run of a container takes (`container_log.ContainerLog`)
    rank_stream       run after run of one rank (`container_runs`)
    stream            all ranks into one MergedStream (`backend_client/logs/merge`), in order of time
    cursor            the position in every rank, on each batch of lines
    backend           `JobBackend.logs`

Beside them `job_tracker` follows the job and its pods: it says which runs there are, and when none will come.

Another source of logs, say Loki for pods that are gone, is another `ContainerLog`: `stream` opens one for
each rank. Runs that no pod shows any more must then come from `JobTracker.runs`.
"""
