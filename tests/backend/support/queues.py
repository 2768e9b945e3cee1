"""A machine whose jobs wait in queues, as a test says: what is asked of them is noted."""

from backend_client.queues import (
    ClusterQueueInfo,
    FlavorQuota,
    LocalQueueInfo,
    QueueBoard,
    QueuePriority,
    WaitingJob,
)

QUOTA = FlavorQuota(flavor="a100", resource="nvidia.com/gpu", nominal=8, used=8)


class Queued:
    """The machine of the tests, as if its jobs waited in a queue; `done` are the changes."""

    def __init__(self, backend):
        self._backend = backend
        self.waiting = []
        self.done = []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def queues(self, scope):
        return QueueBoard(
            cluster_queues=(ClusterQueueInfo(name="team-a", quotas=(QUOTA,)),),
            local_queues=tuple(
                LocalQueueInfo(namespace=place, name="q", cluster_queue="team-a") for place in ("", "x")
            ),
            waiting=tuple(self.waiting),
            priorities=(QueuePriority(name="urgent", value=9), QueuePriority(name="low", value=1)),
            unknown=("you may not list some",),
        )

    async def _change(self, ref, *what):
        self.done.append((*what, ref.name))
        return await self._backend.get(ref)

    async def set_priority(self, ref, name):
        return await self._change(ref, "priority", name)

    async def hold(self, ref):
        return await self._change(ref, "hold")

    async def release(self, ref):
        return await self._change(ref, "release")

    async def move(self, ref, queue):
        return await self._change(ref, "move", queue)


def with_queues(app):
    """Let the machine of an app have queues; return what notes the changes."""
    cluster = app.state.runtime.jobs.clusters.get("local")
    cluster.backend = Queued(cluster.backend)
    return cluster.backend


def waits(job, position):
    """Return a job as the queue has it."""
    return WaitingJob(
        cluster_queue="team-a",
        namespace="x",
        queue="q",
        position=position,
        name=job["ref"]["name"],
        uid=job["ref"]["uid"],
        kind="Job",
        owner="written on it",
        priority=5,
        gpus=2,
    )
