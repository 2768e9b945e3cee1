"""The causes that a queue gives, for docs/WHY.md: each made for real, or measured, on Kueue 0.17."""

from backend_client.why import CauseKind

QUEUE_CAUSES: tuple[CauseKind, ...] = (
    CauseKind(
        "queue.hidden",
        "waits in the queue team-a; why is hidden: you may not list workloads",
        "An administrator lets you list workloads.kueue.x-k8s.io (the role kueue-batch-user-role).",
    ),
    CauseKind(
        "queue.untried",
        "waits in the queue team-a",
        "It comes by itself: Kueue has not taken it up yet. Where it stays so, Kueue does not run.",
    ),
    CauseKind(
        "queue.quota", "needs 8 more A100; 3rd of 12 in team-a", "Other jobs end, or ask for fewer GPUs."
    ),
    CauseKind(
        "queue.held-back",
        "held back; release puts it into the queue team-a again, at its place",
        "`traindeck queue release NAME`, or `h` on the screen of queues.",
    ),
    CauseKind(
        "queue.behind",
        "7th of 9 in team-a",
        "Those before it start; a queue that lets the first alone start tries the others later.",
    ),
    CauseKind(
        "queue.never",
        "can never start here: asks 64 GPUs, its queue has at most 24 A100",
        "Ask for fewer GPUs, or take another queue.",
    ),
    CauseKind(
        "queue.flavor",
        "can never start here: its queue has A100 and H100, it asks for B200",
        "Take another gpu_type, or another queue.",
    ),
    CauseKind(
        "queue.topology",
        "its quota is free, but on one host there is room for 1 of its 2 pods only",
        "Other jobs on these hosts end, or ask for fewer GPUs on each node.",
    ),
    CauseKind(
        "queue.preempting",
        "waits until 1 job that gives way has stopped",
        "It comes by itself, after that job's grace period at most.",
    ),
    CauseKind(
        "queue.others",
        "waits until the jobs that were let in before it are ready",
        "It comes by itself, or when those have had their time to get ready.",
    ),
    CauseKind(
        "queue.preempted",
        "gave way to a job with priority over it at 06:32 UTC, after 31s; needs 8 more A100",
        "Other jobs end; it stands before the others of its priority.",
    ),
    CauseKind(
        "queue.reclaimed",
        "team-b took its own quota back at 06:31 UTC, after 2h; needs 8 more A100",
        "Other jobs of its own queue end, or another queue leaves some idle again.",
    ),
    CauseKind(
        "queue.fair-share",
        "gave way to a job of team-b by fair sharing at 06:31 UTC; needs 8 more A100",
        "Other jobs end.",
    ),
    CauseKind(
        "queue.node",
        "lost its node at 06:31 UTC; needs 8 more A100",
        "It comes by itself, when there is room on other nodes.",
    ),
    CauseKind(
        "queue.check",
        "has its quota reserved; waits for the check budget: no money before noon",
        "Who is behind that admission check lets it pass.",
    ),
    CauseKind(
        "queue.check-retry",
        "an admission check sent it back at 06:31 UTC; is tried again at 06:35:39 UTC",
        "It comes by itself.",
    ),
    CauseKind(
        "queue.requeue",
        "is tried again at 06:35:39 UTC, for the 2nd time",
        "It comes by itself, at that time.",
    ),
    CauseKind(
        "queue.not-ready",
        "did not get ready in time (last: the volume claim data does not exist); "
        "is tried again at 06:35:39 UTC",
        "Mend what kept its pods from running; it is tried again by itself, a few times.",
    ),
    CauseKind(
        "queue.stopped",
        "the queue team-a is inactive (team-a): an administrator has stopped it, or has to set it right",
        "An administrator opens the queue; or take another queue.",
    ),
    CauseKind(
        "queue.drained",
        "an administrator stopped its queue at 06:33 UTC, after 2h; starts again when it is opened",
        "An administrator opens the queue; or take another queue.",
    ),
    CauseKind(
        "queue.missing",
        "there is no queue nothere in the namespace team-a",
        "Take a queue that is there; it starts as soon as that one is made, too.",
    ),
    CauseKind(
        "queue.namespace",
        "the queue team-a takes no jobs of the namespace lab",
        "Take another queue or namespace; or an administrator changes the ClusterQueue's namespaceSelector.",
    ),
    CauseKind(
        "queue.admitted",
        "has its quota from the queue team-a, and is about to be started",
        "It comes by itself, within seconds.",
    ),
    CauseKind(
        "queue.given-up",
        "given up after 3 starts that did not get ready in time (last: the volume claim data does not exist)",
        "Mend what kept its pods from running, and submit it again.",
    ),
    CauseKind(
        "queue.too-long",
        "ran longer than its queue's limit of 2h",
        "Submit it again with a longer limit (the label kueue.x-k8s.io/max-exec-time-seconds).",
    ),
    CauseKind(
        "queue.refused",
        "the check budget of its queue refused it",
        "Ask who is behind that admission check, and submit it again.",
    ),
    CauseKind(
        "queue.taken-out",
        "was taken out of its queue at 06:33 UTC, after 2h; it waits to be put back",
        "Who may change its Workload puts it back (`spec.active`).",
    ),
)
