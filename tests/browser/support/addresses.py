"""Where the pages are: every route of them that a browser opens, with an address of its own."""

from urllib.parse import quote, urlencode

from tests.backend.web import test_page_matrix

FILES = {
    "/compare.csv",
    "/jobs/{name}/log.txt",
    "/jobs/{name}/spec.yaml",
    "/static/{release}/{name}",
    "/usage.csv",
}
ELSEWHERE = {"/", "/jobs/{name}/why", "/login/check"}
"""They only lead to others."""
OF_A_JOB = ("", "/again", "/delete", "/log", "/loss", "/queue", "/ranks", "/resume", "/stop")


def routes():
    """Return the paths of all pages, as their routes have them."""
    opened = (one.removeprefix("GET ") for one in test_page_matrix.routes() if one.startswith("GET "))
    return {path for path in opened if not path.startswith("/live/")} - FILES - ELSEWHERE


def addresses(cluster, uid, name, *, person="ann", channel="pager"):
    """Return route -> an address of it, for all of `routes`: of one job, person, cluster and channel."""
    job, of_job = quote(name, ""), urlencode({"cluster": cluster, "uid": uid})
    plain = (
        "/account /alerts /alerts/wishes /audit /clusters /gpus /history /jobs /login /new /people /queue"
        " /register /usage"
    )
    return {
        **{path: path for path in plain.split()},
        **{f"/jobs/{{name}}{part}": f"/jobs/{job}{part}?{of_job}" for part in OF_A_JOB},
        "/compare": f"/compare?{urlencode({'job': f'{cluster}/{uid}'})}",
        "/alerts/channels/add": "/alerts/channels/add?kind=webhook",
        "/alerts/channels/remove": f"/alerts/channels/remove?{urlencode({'name': channel})}",
        "/clusters/{name}/remove": f"/clusters/{quote(cluster, '')}/remove",
        "/people/{name}": f"/people/{quote(person, '')}",
        "/people/{name}/disable": f"/people/{quote(person, '')}/disable",
        "/selected": f"/selected?{urlencode({'verb': 'stop', 'job': f'{cluster}/{uid}'})}",
    }
