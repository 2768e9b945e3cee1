"""Every cause that a job of a cluster may have, one row each: docs/WHY.md is made of them.

`id` groups them: the job as a whole, admission, the scheduler, its volumes, configuration and images, the
pod, its containers, how they ended, its node. Those of a queue: `queue_causes`.
"""

from backend_client.why import CauseKind

_STEPS = (
    CauseKind("job.pods", "1 of 2 pods runs", "Nothing to do: the links below it say what holds it."),
    CauseKind("job.no-pods", "has none of its 2 pods yet", "Nothing to do: the links below it say why."),
    CauseKind("job.failed", "has failed", "The links below it say how; run it again when that is mended."),
    CauseKind("job.admitted", "the queue research has let it start", "Nothing: it only has to start now."),
    CauseKind("pod.waits", "is on no node yet", "The link below it says what the scheduler lacks."),
    CauseKind("pod.placed", "is on gpu-7, and does not run", "The link below it says what its node lacks."),
    CauseKind("pod.runs", "runs on gpu-7", "The link below it says what is wrong all the same."),
    CauseKind("pod.ended", "has ended on gpu-7", "The link below it says how."),
)
"""Links that only say how far a job came; none of them blocks."""

_JOB = (
    CauseKind(
        "job.half-made",
        "only half made: its creation was cut off; resume finishes it, delete removes it",
        "Resume it, or delete it.",
    ),
    CauseKind("job.suspended", "is suspended", "Whoever suspended it lets it go on (`spec.suspend: false`)."),
    CauseKind("job.deleted", "is being deleted", "It goes by itself."),
    CauseKind(
        "job.deleted-pods",
        "is being deleted; waits for 1 pod",
        "The pod goes when its time to end is over. On a node that does not answer it stays: an "
        "administrator has to delete the node, or the pod by force.",
    ),
    CauseKind(
        "job.deleted-finalizer",
        "is being deleted; waits for the finalizer example.com/keep",
        "What set the finalizer removes it; if that is gone, an administrator does.",
    ),
    CauseKind(
        "job.hidden",
        "why is hidden: you may not list events",
        "An administrator grants the right that is named.",
    ),
    CauseKind(
        "job.old-pod",
        "waits for its pod on gpu-7 to be gone",
        "The pod goes when its time to end is over; on a node that does not answer, an administrator helps.",
    ),
    CauseKind(
        "job.interrupted", "earlier it gave way to a pod of higher priority (06:51 UTC)", "It goes on."
    ),
    CauseKind(
        "job.restarted",
        "was started again; before that: exit 3",
        "It goes on; look into the log of the attempt before.",
    ),
    CauseKind("job.retried", "is tried again: exit 5", "It is started again by itself; look into its log."),
    CauseKind("job.deadline", "ran longer than its max_runtime of 2s", "Run it again with a longer limit."),
    CauseKind(
        "job.tries",
        "Job has reached the specified backoff limit",
        "Its pods are gone and with them what failed. Run it again, and follow its log.",
    ),
    CauseKind(
        "job.indexes",
        "Job has failed indexes",
        "Its pods are gone and with them what failed. Run it again, and follow its log.",
    ),
    CauseKind(
        "job.failure-policy",
        "exit 42; its podFailurePolicy allows no other try",
        "Mend what the exit code stands for, then run it again.",
    ),
)

_ADMISSION = (
    CauseKind(
        "admission.quota",
        "the quota gpus is full: 16 of 16 GPUs used, 8 asked",
        "It starts when others of the namespace end, or with fewer resources.",
    ),
    CauseKind(
        "admission.unstated",
        "the quota memory wants this to be stated: limits.memory",
        "Run it again with the amount stated: `--memory`, `--cpu`.",
    ),
    CauseKind(
        "admission.limits",
        "the namespace's LimitRange forbids it: maximum cpu usage per Container is 2, but limit is 4",
        "Ask for an amount within these limits.",
    ),
    CauseKind(
        "admission.pod-security",
        'the namespace\'s PodSecurity (baseline) forbids it: hostPath volumes (volume "data")',
        "Leave out what is named, or use a namespace that allows it.",
    ),
    CauseKind(
        "admission.policy",
        "the policy projects forbids it: only with a project",
        "Do as the policy says; an administrator wrote it.",
    ),
    CauseKind(
        "admission.webhook",
        "the webhook policy.example.com forbids it: only signed images",
        "Do as the webhook says; an administrator set it up.",
    ),
    CauseKind(
        "admission.webhook-down",
        "the webhook policy.example.com, which every such pod must pass, does not answer",
        "An administrator has to bring it up again.",
    ),
    CauseKind(
        "admission.service-account",
        'the service account "trainer" does not exist',
        "Create it, or leave it out.",
    ),
    CauseKind(
        "admission.priority-class",
        'the priority class "urgent" does not exist',
        "Use one that the cluster has: `kubectl get priorityclasses`.",
    ),
    CauseKind(
        "admission.runtime-class",
        'the runtime class "nvidia" does not exist',
        "Use one that the cluster has: `kubectl get runtimeclasses`.",
    ),
)

_SCHEDULER = (
    CauseKind(
        "schedule.gpus",
        "no node fits: of 36, 33 without free GPUs, 3 cordoned",
        "It starts when GPUs come free, or with fewer of them on one node.",
    ),
    CauseKind(
        "schedule.cpu", "no node fits: of 4, 4 without free CPU", "Ask for fewer CPUs, or wait for others."
    ),
    CauseKind(
        "schedule.memory",
        "no node fits: of 4, 4 without free memory",
        "Ask for less memory, or wait for others.",
    ),
    CauseKind(
        "schedule.disk",
        "no node fits: of 4, 4 without free disk",
        "Ask for less ephemeral storage, or wait for others.",
    ),
    CauseKind(
        "schedule.device",
        "no node fits: of 4, 4 without free example.com/fpga",
        "It starts when devices of that name come free.",
    ),
    CauseKind(
        "schedule.too-big",
        "no node can ever hold it: of 5, 4 with too few GPUs in all, 1 not of the kind asked for",
        "It never starts: ask for less on one node, or for more nodes with less each.",
    ),
    CauseKind(
        "schedule.cordoned",
        "no node fits: of 4, 3 not of the kind asked for, 1 cordoned",
        "It starts when an administrator uncordons the node.",
    ),
    CauseKind(
        "schedule.taint",
        "no node fits: of 3, 2 not of the kind asked for, 1 with the taint dedicated=nlp",
        "The node is for others: ask for another kind, or an administrator for a toleration.",
    ),
    CauseKind(
        "schedule.sick",
        "no node fits: of 1, 1 with the taint node.kubernetes.io/not-ready",
        "It starts when the node is ready again; an administrator looks after it.",
    ),
    CauseKind(
        "schedule.selector",
        "no node fits: of 4, 4 not of the kind asked for",
        "No node has the GPU type or the labels that it asks for: ask for others.",
    ),
    CauseKind(
        "schedule.full",
        "no node fits: of 4, 4 without room for more pods",
        "It starts when other pods of these nodes end.",
    ),
    CauseKind(
        "schedule.port",
        "no node fits: of 1, 1 with the port in use",
        "Use another host port, or none: a Service needs none.",
    ),
    CauseKind(
        "schedule.affinity",
        "no node fits: of 1, 1 far from the pods that it wants near",
        "Start those pods first, or leave the affinity out.",
    ),
    CauseKind(
        "schedule.anti-affinity",
        "no node fits: of 1, 1 with pods that it keeps away from",
        "It starts when those pods end, or without the anti-affinity.",
    ),
    CauseKind(
        "schedule.turn",
        "waits for its turn in the sweep lrs",
        "It starts when the job of the sweep that has its turn ends; stop that one, or wait.",
    ),
    CauseKind(
        "schedule.spread",
        "no node fits: of 1, 1 where its pods would not be spread evenly",
        "Loosen its spread constraints, or free nodes of the other zones.",
    ),
    CauseKind(
        "schedule.mixed",
        "no node fits: of 5, 4 without room for more pods, 1 without free CPU",
        "Each node lacks something else: the raw words and the nodes tell which is nearest.",
    ),
    CauseKind("schedule.no-nodes", "the cluster has no nodes", "An administrator adds nodes."),
    CauseKind(
        "schedule.gate",
        "held back by the scheduling gate example.com/wait",
        "What set the gate removes it.",
    ),
    CauseKind(
        "schedule.preempts",
        "waits on gpu-7 until pods of lower priority have made room",
        "It starts when their time to end is over.",
    ),
)

_VOLUMES = (
    CauseKind(
        "volume.claim",
        'the volume claim "data" does not exist',
        "Create the claim, or name one that is there; it starts by itself then.",
    ),
    CauseKind(
        "volume.claim-deleted",
        'the volume claim "data" is being deleted',
        "Use another claim: this one goes when nothing uses it any more.",
    ),
    CauseKind(
        "volume.unbound",
        "its volume claim has no volume yet",
        "It starts when the claim gets a volume: `kubectl describe pvc` says what that waits for.",
    ),
    CauseKind(
        "volume.none",
        "no node fits: of 1, 1 without a volume for its claim",
        "An administrator offers a volume that the claim fits.",
    ),
    CauseKind(
        "volume.far",
        "no node fits: of 1, 1 too far from its volume",
        "Ask for nodes where the volume is, or use another volume.",
    ),
    CauseKind(
        "volume.in-use",
        "no node fits: of 1, 1 where another pod has its volume, which one alone may have",
        "It starts when that pod ends, or with a claim that several may use.",
    ),
    CauseKind(
        "volume.folder", "/nowhere is no directory of its node", "Create the folder there, or mount another."
    ),
)

_CONFIG = (
    CauseKind(
        "config.secret",
        'the secret "hf" does not exist',
        "Create the secret; the job starts by itself then.",
    ),
    CauseKind(
        "config.configmap",
        'the configmap "train" does not exist',
        "Create the ConfigMap; the job starts by itself then.",
    ),
    CauseKind(
        "config.key",
        'the secret "hf" has no key TOKEN',
        "Add the key; the job starts by itself then.",
    ),
)

_IMAGES = (
    CauseKind(
        "image.missing",
        "the image r.example.com/llama:1 does not exist in its registry",
        "Mend the name or the tag.",
    ),
    CauseKind(
        "image.missing-or-login",
        "the image llama:1 does not exist, or needs a login (image_pull_secrets)",
        "Mend the name, or name a pull secret.",
    ),
    CauseKind(
        "image.login",
        "the registry gives the image r.example.com/llama:1 only with a login (image_pull_secrets)",
        "Name a pull secret that has a login of that registry.",
    ),
    CauseKind(
        "image.pull-secret",
        "the registry gives the image r.example.com/llama:1 only with a login (image_pull_secrets); "
        'the pull secret "hub" does not exist',
        "Create the pull secret (`kubectl create secret docker-registry`); the job starts by itself then.",
    ),
    CauseKind(
        "image.too-many-requests",
        "the registry of the image llama:1 has had too many requests from here",
        "It is tried again by itself; a login raises the limit of most registries.",
    ),
    CauseKind(
        "image.registry-down",
        "the registry of the image r.example.com/llama:1 cannot be reached",
        "Mend the host's name; if it is right, the registry or the network is down.",
    ),
    CauseKind(
        "image.platform",
        "the image r.example.com/llama:1 is not made for this machine's processor",
        "Build the image for this processor too.",
    ),
    CauseKind(
        "image.disk",
        "the node has no disk left for the image r.example.com/llama:1",
        "An administrator frees disk on the node; a smaller image helps.",
    ),
    CauseKind("image.name", "UPPER:case:1 is not a name that an image can have", "Mend the name."),
    CauseKind(
        "image.never-pull",
        "the image llama:1 is not on the node, and may not be pulled",
        "Load it onto the node, or let it be pulled (imagePullPolicy).",
    ),
    CauseKind(
        "image.unsigned",
        "the image llama:1 is not signed as the node wants it: no signature",
        "Sign the image, or use one that is.",
    ),
    CauseKind(
        "image.broken",
        "the image llama:1 on the node is broken: bad digest",
        "An administrator removes it from the node; it is pulled again then.",
    ),
    CauseKind(
        "image.other",
        "the image llama:1 cannot be pulled: unexpected status: 418",
        "The registry's own words stand at the end.",
    ),
)

_CONTAINERS = (
    CauseKind(
        "container.root",
        "the image runs as root, and the pod forbids root",
        "Use an image with a user of its own, or say which user it runs as.",
    ),
    CauseKind(
        "container.no-program", "the image has no program python", "Mend the command, or use another image."
    ),
    CauseKind(
        "container.not-a-program",
        "/a.sh cannot be run: permission denied",
        "Make it executable (chmod +x), or run it by its interpreter.",
    ),
    CauseKind(
        "container.start",
        "could not be started: no such device",
        "The container runtime's own words stand at the end.",
    ),
    CauseKind(
        "container.init-runs",
        "init container setup runs first",
        "It starts when that has ended; its log says how far it is.",
    ),
    CauseKind(
        "container.sidecar-starts",
        "waits for sidecar proxy to be up",
        "It starts when the sidecar's startup probe passes; the sidecar's log says more.",
    ),
    CauseKind(
        "container.crashes",
        "crashes: exit 3, 3 restarts",
        "Look into its log; it is started again and again until it is stopped.",
    ),
    CauseKind(
        "container.finished",
        "finished (exit 0), and starts again from the beginning, as a deployment does; "
        "run it as a job instead",
        "Run it as a job.",
    ),
    CauseKind(
        "container.outlived",
        "main ended with exit 1; istio-proxy goes on",
        "Stop the job: its pod stays as long as the other container runs. Make that a sidecar.",
    ),
    CauseKind(
        "container.beside-failed",
        "container sync failed: exit 6",
        "The job goes on; look into the log of that container.",
    ),
    CauseKind(
        "sandbox.runtime",
        "its node has no container runtime nvidia",
        "Leave the runtime class out, or ask for nodes that have it.",
    ),
)

_ENDS = (
    CauseKind("exit.code", "exit 3: loss is nan", "Its log says why; what the program wrote last is shown."),
    CauseKind(
        "exit.signal",
        "exit 139 (SIGSEGV)",
        "Its log says more. SIGKILL without a word is often memory; SIGTERM comes from outside.",
    ),
    CauseKind(
        "exit.memory",
        "ran out of memory (limit 64Gi, OOMKilled)",
        "Run it again with more memory, or let it use less.",
    ),
    CauseKind(
        "exit.memory-child",
        "exit 1, after a process of it ran out of memory (limit 64Gi, OOMKilled)",
        "Run it again with more memory, or with fewer worker processes.",
    ),
    CauseKind(
        "exit.unknown",
        "how it ended is unknown: its node lost sight of it (exit 137)",
        "Run it again; its node was restarted or lost.",
    ),
    CauseKind(
        "pod.deadline",
        "ran longer than its time limit",
        "Run it again with a longer limit, from a checkpoint.",
    ),
    CauseKind(
        "pod.preempted",
        "gave way to a pod of higher priority",
        "Run it again, from a checkpoint; with retries that comes by itself.",
    ),
)

_NODES = (
    CauseKind(
        "node.lost",
        "its node gpu-7 does not answer",
        "It goes on if the node comes back; else an administrator deletes the node or the pod.",
    ),
    CauseKind(
        "node.not-ready",
        "its node gpu-7 is not ready: container runtime is down",
        "An administrator looks after the node.",
    ),
    CauseKind(
        "node.drained",
        "was moved off its node gpu-7 (drain)",
        "Run it again, from a checkpoint; with retries that comes by itself.",
    ),
    CauseKind(
        "node.tainted",
        "was taken off its node gpu-7, which had got a taint",
        "Run it again: another node takes it.",
    ),
    CauseKind("node.gone", "was cleared away, as its node gpu-7 is gone", "Run it again."),
    CauseKind(
        "node.ended",
        "was ended by its node gpu-7: The node had condition: [DiskPressure].",
        "Run it again; the node's own words stand at the end.",
    ),
    CauseKind(
        "node.evicted",
        "was evicted by its node gpu-7: The node was low on resource: memory.",
        "Run it again; ask for as much memory or disk as it uses, so that it is not the first to go.",
    ),
    CauseKind(
        "node.critical-pod",
        "had to make room on its node gpu-7 for a pod that the cluster itself needs",
        "Run it again.",
    ),
    CauseKind("node.shutdown", "was ended, as its node gpu-7 is shutting down", "Run it again."),
    CauseKind(
        "node.other-kind",
        "was refused by its node gpu-7, which is not (or no more) of the kind asked for",
        "Run it again: the node's labels have changed meanwhile.",
    ),
    CauseKind(
        "node.no-room",
        "was refused by its node gpu-7, which has no CPU left: 1450 of 4000 used, 5000 asked (OutOfcpu)",
        "Run it again: the node was filled meanwhile.",
    ),
    CauseKind(
        "node.devices",
        "was refused by its node gpu-7 (UnexpectedAdmissionError): Allocate failed for no healthy devices",
        "Run it again; an administrator looks after the devices of the node.",
    ),
    CauseKind(
        "node.refused",
        "was refused by its node gpu-7 (AdmissionFailed): no room",
        "The node's own words stand at the end.",
    ),
    CauseKind(
        "node.topology",
        "was refused by its node gpu-7, where no devices and CPUs lie close together: no room",
        "Ask for fewer GPUs or CPUs on one node, or run it again when the node is emptier.",
    ),
)

CAUSES: tuple[CauseKind, ...] = (
    *(*_JOB, *_ADMISSION, *_SCHEDULER, *_VOLUMES, *_CONFIG, *_IMAGES),
    *(*_CONTAINERS, *_ENDS, *_NODES, *_STEPS),
)
"""Every id that `status` gives to a cause, once; "" is a message that no parser knows."""
