"""Which failed pods of a Job count as one of its tries, by its podFailurePolicy (pure).

Without a policy every failure counts, a preempted or drained pod's too (KEP-3329).
docs/FACTS.md, "Jobs and Deployments".
"""

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import ExitCodeRule, KubeJob, PodFailureRule


def counts_as_try(pod: Pod, job: KubeJob) -> bool:
    """Return whether a failed pod counts towards backoffLimit: the first rule that matches it decides."""
    rules = job.spec.pod_failure_policy.rules
    return next((rule.action for rule in rules if _matches(rule, pod)), "Count") != "Ignore"


def _matches(rule: PodFailureRule, pod: Pod) -> bool:
    if rule.on_exit_codes:
        return _has_exit_code(rule.on_exit_codes, pod)
    statuses = {condition.type: condition.status for condition in pod.conditions}
    return any(statuses.get(wanted.type) == wanted.status for wanted in rule.on_pod_conditions)


def _has_exit_code(rule: ExitCodeRule, pod: Pod) -> bool:
    """Return whether a container failed with a code of the rule; 0 is no failure and matches nothing."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended = status.state.terminated
        if not ended or not ended.exit_code or rule.container_name not in ("", status.name):
            continue
        if (ended.exit_code in rule.values) is (rule.operator == "In"):
            return True
    return False
