"""Kinds of training job that others define: where each keeps what is read of it. One entry for a kind.

A kind is looked for at run time (`served_training_types` of `watch/training.py`); nothing of it is imported.
The fields are those of the published API types: docs/FACTS.md, "Training jobs of other tools".
"""

from collections.abc import Mapping

from msgspec import Struct, field

from backend_client.models.state import JobState

_JOB_INDEX = "batch.kubernetes.io/job-completion-index"
_JOBSET = "jobset.sigs.k8s.io"
_KUBEFLOW = "training.kubeflow.org"
_LWS = "leaderworkerset.sigs.k8s.io"
_VOLCANO = "volcano.sh"


class PodSet(Struct, frozen=True, kw_only=True):
    """Where a spec describes one sort of its pods. Paths are fields with dots between."""

    path: str
    """Of the object; with [] at its end, of a list or a map of such objects."""
    name: str = ""
    """The name of the sort where `path` is one object; a list has it in `name_field`, a map as its key."""
    name_field: str = "name"
    template: str = "template"
    """Path of the pod template, from there."""
    leader: str = ""
    """Path of the template of the first pod of each replica, where that may be another one."""
    counts: tuple[str, ...] = ("replicas",)
    """Paths of the numbers whose product is the number of pods; one that is absent counts as 1."""


class TrainingKind(Struct, frozen=True, kw_only=True):
    """One kind of training job. What it lacks is empty."""

    name: str
    """`JobRef.kind`: a word that kubectl takes for it too."""
    kind: str
    group: str
    plural: str
    versions: tuple[str, ...]
    """Those whose fields stand here, the one to prefer first."""
    pod_sets: tuple[PodSet, ...] = ()
    set_labels: tuple[str, ...] = ()
    """Labels of a pod that name its sort; the first that it has."""
    index_labels: tuple[str, ...] = ()
    """Labels of a pod that count it within its sort, one for each of the sort's `counts`."""
    states: Mapping[str, JobState] = field(default_factory=dict)
    """Type of a condition that holds, or word of a phase, -> what it says. RUNNING: the pods say more."""
    phases: tuple[str, ...] = ()
    """Paths of words that say how it stands. The next one counts where the one before is in `phases_open`."""
    phases_open: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    """Paths of a text about the phase; the first that is there."""
    ended: tuple[str, ...] = ()
    """Paths of the time of its end; else that of the condition counts."""
    suspend: str = ""
    """Path of the field that stops it."""
    selectors: tuple[str, ...] = ()
    """Labels of its pods, beside those of its children's. They narrow a list; whose a pod is, uids say."""
    job_selectors: tuple[str, ...] | None = None
    """Of the Jobs between it and its pods, where those are others."""
    through: tuple[str, ...] = ()
    """Plurals of what stands between it and its pods: jobs, statefulsets."""
    children: tuple[str, ...] = ()
    """Names of the kinds that it is made of."""


_KUBEFLOW_STATES = {
    "Created": JobState.RUNNING,
    "Running": JobState.RUNNING,
    "Restarting": JobState.STARTING,
    "Suspended": JobState.RUNNING,
    "Succeeded": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
}
_RAY_LABELS = {
    "set_labels": ("ray.io/group",),
    "index_labels": ("ray.io/worker-group-replica-index", "ray.io/replica-host-index"),
}


def _ray_pods(cluster: str) -> tuple[PodSet, ...]:
    """Return the sorts of pods of a RayCluster whose spec is at a path."""
    return (
        PodSet(path=f"{cluster}.headGroupSpec", name="headgroup", counts=()),
        PodSet(
            path=f"{cluster}.workerGroupSpecs[]", name_field="groupName", counts=("replicas", "numOfHosts")
        ),
    )


TRAINING_KINDS: dict[str, TrainingKind] = {
    entry.name: entry
    for entry in (
        TrainingKind(
            name="trainjob",
            kind="TrainJob",
            group="trainer.kubeflow.org",
            plural="trainjobs",
            versions=("v1alpha1",),
            states={
                "Suspended": JobState.RUNNING,
                "Complete": JobState.SUCCEEDED,
                "Failed": JobState.FAILED,
            },
            suspend="spec.suspend",
            selectors=(f"{_JOBSET}/jobset-name={{name}}",),
            children=("jobset",),
        ),
        TrainingKind(
            name="jobset",
            kind="JobSet",
            group="jobset.x-k8s.io",
            plural="jobsets",
            versions=("v1alpha2",),
            pod_sets=(
                PodSet(
                    path="spec.replicatedJobs[]",
                    template="template.spec.template",
                    counts=("replicas", "template.spec.parallelism"),
                ),
            ),
            set_labels=(f"{_JOBSET}/replicatedjob-name",),
            index_labels=(f"{_JOBSET}/job-index", _JOB_INDEX),
            states={
                "Completed": JobState.SUCCEEDED,
                "Failed": JobState.FAILED,
                "Suspended": JobState.RUNNING,
                "RestartingJobSet": JobState.STARTING,
                "StartupPolicyCompleted": JobState.RUNNING,
            },
            suspend="spec.suspend",
            selectors=(f"{_JOBSET}/jobset-name={{name}}",),
            through=("jobs",),
        ),
        TrainingKind(
            name="pytorchjob",
            kind="PyTorchJob",
            group="kubeflow.org",
            plural="pytorchjobs",
            versions=("v1",),
            pod_sets=(PodSet(path="spec.pytorchReplicaSpecs[]"),),
            set_labels=(f"{_KUBEFLOW}/replica-type",),
            index_labels=(f"{_KUBEFLOW}/replica-index",),
            states=_KUBEFLOW_STATES,
            ended=("status.completionTime",),
            suspend="spec.runPolicy.suspend",
            selectors=(f"{_KUBEFLOW}/job-name={{name}}",),
        ),
        TrainingKind(
            name="mpijob",
            kind="MPIJob",
            group="kubeflow.org",
            plural="mpijobs",
            versions=("v2beta1", "v1"),
            pod_sets=(PodSet(path="spec.mpiReplicaSpecs[]"),),
            set_labels=(f"{_KUBEFLOW}/replica-type", f"{_KUBEFLOW}/job-role"),
            index_labels=(f"{_KUBEFLOW}/replica-index",),
            states=_KUBEFLOW_STATES,
            ended=("status.completionTime",),
            suspend="spec.runPolicy.suspend",
            selectors=(f"{_KUBEFLOW}/job-name={{name}}",),
            job_selectors=("app={name}",),
            through=("jobs",),
        ),
        TrainingKind(
            name="rayjob",
            kind="RayJob",
            group="ray.io",
            plural="rayjobs",
            versions=("v1",),
            pod_sets=_ray_pods("spec.rayClusterSpec"),
            **_RAY_LABELS,
            states={
                "Initializing": JobState.STARTING,
                "Waiting": JobState.STARTING,
                "Retrying": JobState.STARTING,
                "Running": JobState.RUNNING,
                "Suspending": JobState.STOPPING,
                "Suspended": JobState.RUNNING,
                "Failed": JobState.FAILED,
                "ValidationFailed": JobState.FAILED,
                "PENDING": JobState.RUNNING,
                "RUNNING": JobState.RUNNING,
                "SUCCEEDED": JobState.SUCCEEDED,
                "FAILED": JobState.FAILED,
                "STOPPED": JobState.STOPPED,
            },
            phases=("status.jobDeploymentStatus", "status.jobStatus"),
            phases_open=("Complete",),
            messages=("status.message", "status.reason"),
            ended=("status.endTime",),
            suspend="spec.suspend",
            selectors=("ray.io/originated-from-cr-name={name}",),
            through=("jobs",),
            children=("raycluster",),
        ),
        TrainingKind(
            name="raycluster",
            kind="RayCluster",
            group="ray.io",
            plural="rayclusters",
            versions=("v1",),
            pod_sets=_ray_pods("spec"),
            **_RAY_LABELS,
            states={
                "HeadPodReady": JobState.RUNNING,
                "RayClusterProvisioned": JobState.RUNNING,
                "RayClusterSuspending": JobState.STOPPING,
                "RayClusterSuspended": JobState.RUNNING,
                "ready": JobState.RUNNING,
                "suspended": JobState.RUNNING,
            },
            phases=("status.state",),
            messages=("status.reason",),
            suspend="spec.suspend",
            selectors=("ray.io/cluster={name}",),
        ),
        TrainingKind(
            name="lws",
            kind="LeaderWorkerSet",
            group="leaderworkerset.x-k8s.io",
            plural="leaderworkersets",
            versions=("v1",),
            pod_sets=(
                PodSet(
                    path="spec",
                    template="leaderWorkerTemplate.workerTemplate",
                    leader="leaderWorkerTemplate.leaderTemplate",
                    counts=("replicas", "leaderWorkerTemplate.size"),
                ),
            ),
            index_labels=(f"{_LWS}/group-index", f"{_LWS}/worker-index"),
            states={"Available": JobState.RUNNING, "Progressing": JobState.RUNNING},
            selectors=(f"{_LWS}/name={{name}}",),
            through=("statefulsets",),
        ),
        TrainingKind(
            name="vcjob",
            kind="Job",
            group="batch.volcano.sh",
            plural="jobs",
            versions=("v1alpha1",),
            pod_sets=(PodSet(path="spec.tasks[]"),),
            set_labels=(f"{_VOLCANO}/task-spec",),
            index_labels=(f"{_VOLCANO}/task-index",),
            states={
                "Pending": JobState.RUNNING,
                "Running": JobState.RUNNING,
                "Restarting": JobState.STARTING,
                "Aborting": JobState.STOPPING,
                "Aborted": JobState.STOPPED,
                "Completing": JobState.STOPPING,
                "Completed": JobState.SUCCEEDED,
                "Terminating": JobState.STOPPING,
                "Terminated": JobState.FAILED,
                "Failed": JobState.FAILED,
            },
            phases=("status.state.phase",),
            messages=("status.state.message", "status.state.reason"),
            ended=("status.state.lastTransitionTime",),
            selectors=(f"{_VOLCANO}/job-name={{name}}",),
        ),
    )
}
"""By name. A kind stands before those that it is made of."""
STATEFUL_SET_LABEL = f"{_LWS}/name"
"""Label of the StatefulSets that belong to a kind here: no others are read."""
