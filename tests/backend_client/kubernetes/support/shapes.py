"""Kubernetes objects as odd as JSON allows, for hypothesis: fields missing, senseless or hostile."""

from typing import Any

from hypothesis import strategies as st

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob

REASONS = """Unschedulable SchedulingGated Evicted OOMKilled StartError CrashLoopBackOff ImagePullBackOff
CreateContainerConfigError DeadlineExceeded ContainerCreating FailedMount FailedCreate"""
CONDITIONS = """PodScheduled DisruptionTarget Ready Complete Failed FailureTarget ReplicaFailure
QuotaReserved Evicted"""
MARKS = [labels.SPEC, labels.HELD, labels.STOPPED, labels.URL, labels.INDEX]
NO_NODE = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def one_of(words: str) -> st.SearchStrategy[str]:
    """One of these words."""
    return st.sampled_from(words.split())


texts = st.sampled_from(["", "x", "\x1b[2J[/x]", NO_NODE]) | st.text()
numbers = st.integers(-1, 3) | st.integers(-(2**31), 2**31)
times = st.sampled_from(["1970-01-01T00:00:00Z", "2026-11-24T12:00:00Z", "2026-11-24T12:00:01.5Z"])
reasons = one_of(REASONS) | texts
references = st.lists(maybe(name=texts), max_size=2)
conditions = st.lists(
    maybe(
        type=one_of(CONDITIONS),
        status=one_of("True False Unknown"),
        reason=reasons,
        message=texts,
        lastTransitionTime=times,
    ),
    max_size=3,
)

ended = maybe(exitCode=numbers, reason=reasons, message=texts, startedAt=times, finishedAt=times)
waiting = maybe(reason=reasons, message=texts)
state = maybe(waiting=waiting, running=maybe(startedAt=times), terminated=ended)
statuses = st.lists(
    maybe(name=one_of("main x"), restartCount=numbers, state=state, lastState=state), max_size=2
)

label_maps = st.dictionaries(st.sampled_from([labels.INDEX, labels.QUEUE, labels.TEMPLATE_HASH]), texts)
specs = st.sampled_from(['{"image": "a"}', '{"nodes": 2}', '{"replicas": 2}', "[]", "1"])
annotations = st.dictionaries(st.sampled_from(MARKS), texts | specs)
owners = st.lists(maybe(kind=one_of("Job ReplicaSet"), name=texts, controller=st.booleans()), max_size=2)
metadata = maybe(
    name=texts,
    namespace=texts,
    uid=st.just("u"),
    creationTimestamp=times,
    deletionTimestamp=times,
    finalizers=st.lists(texts, max_size=2),
    labels=label_maps,
    annotations=annotations,
    ownerReferences=owners,
)

resources = maybe(limits=st.dictionaries(one_of("nvidia.com/gpu memory"), texts))
containers = st.lists(
    maybe(name=one_of("main x"), image=texts, command=st.lists(texts, max_size=2), resources=resources),
    max_size=2,
)
pod_spec = maybe(
    nodeName=st.just("gpu-1"),
    containers=containers,
    initContainers=containers,
    restartPolicy=one_of("Always Never"),
    schedulingGates=references,
)
pod_status = maybe(
    phase=one_of("Pending Running Succeeded Failed Unknown Other"),
    reason=reasons,
    message=texts,
    conditions=conditions,
    containerStatuses=statuses,
    initContainerStatuses=statuses,
)
template = maybe(metadata=metadata, spec=pod_spec)
job_spec = maybe(
    suspend=st.booleans(),
    parallelism=numbers,
    completions=numbers,
    backoffLimit=numbers,
    activeDeadlineSeconds=numbers,
    template=template,
)
job_status = maybe(failed=numbers, succeeded=numbers, conditions=conditions, completionTime=times)
deployment_spec = maybe(replicas=numbers, template=template)

PODS = maybe(metadata=metadata, spec=pod_spec, status=pod_status)
JOBS = maybe(metadata=metadata, spec=job_spec, status=job_status)
DEPLOYMENTS = maybe(metadata=metadata, spec=deployment_spec, status=maybe(conditions=conditions))
ROOTS = st.one_of(
    st.tuples(st.just(KubeJob), JOBS),
    st.tuples(st.just(Deployment), DEPLOYMENTS),
    st.tuples(st.just(Pod), PODS),
)
EVENTS = st.lists(
    maybe(involvedObject=maybe(uid=st.just("u")), reason=reasons, message=texts, eventTime=times), max_size=2
)
amounts = st.sampled_from(["8", "9" * 5000, "٣", "2Ti", ""])
queue_messages = st.one_of(
    texts,
    st.builds(
        "insufficient unused quota for nvidia.com/gpu in flavor {}, {} more needed".format, texts, amounts
    ),
    st.builds(
        "insufficient quota for nvidia.com/gpu in flavor a100, previously considered podsets requests ({0}) "
        "+ current podset request ({1}) > maximum capacity ({0})".format,
        amounts,
        amounts,
    ),
    st.builds("Pending the preemption of {} workload(s)".format, amounts),
    st.builds("Preempted to accommodate a workload (UID: {0}, JobUID: {0}) due to {0}".format, texts),
)
queue_reasons = st.sampled_from(
    ["", "Pending", "Preempted", "PodsReadyTimeout", "Deactivated", "NodeFailures", "WaitingForQuota",
     "DeactivatedDueToAdmissionCheck", "DeactivatedDueToRequeuingLimitExceeded", "InCohortReclamation",
     "ClusterQueueStopped"]
)  # fmt: skip
queue_conditions = st.lists(
    maybe(
        type=st.sampled_from(["QuotaReserved", "Admitted", "Evicted", "Preempted", "Requeued", "Finished"]),
        status=st.sampled_from(["True", "False"]),
        reason=queue_reasons,
        message=queue_messages,
        lastTransitionTime=times,
    ),
    max_size=5,
)
usage = st.lists(maybe(resourceUsage=st.dictionaries(st.just("nvidia.com/gpu"), amounts)), max_size=2)
WORKLOADS = maybe(
    spec=maybe(active=st.booleans(), queueName=texts, priority=st.integers(-5, 5)),
    status=maybe(
        conditions=st.one_of(conditions, queue_conditions),
        admission=maybe(clusterQueue=texts, podSetAssignments=usage),
        requeueState=maybe(count=st.integers(0, 99), requeueAt=times),
        admissionChecks=st.lists(maybe(name=texts, state=texts, message=texts), max_size=2),
        accumulatedPastExecutionTimeSeconds=st.integers(0, 10**9),
    ),
)
