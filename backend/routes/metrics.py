"""Route of the metrics, for Prometheus: with the token of the settings, or by an admin."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from backend.auth.caller import bearer, current_caller
from backend.authorization import Action, require
from backend.metrics.text_format import CONTENT_TYPE
from backend.routes.deps import RuntimeDep

router = APIRouter(tags=["server"])


async def check_reader(
    request: Request, runtime: RuntimeDep, _scheme: Annotated[Any, Depends(bearer)]
) -> None:
    """Check that whoever asks may read the metrics, which name owners. Raises LoginNeeded, Forbidden.

    The token of the settings is compared before any database is asked: it also answers while none does.
    """
    expected = runtime.settings.metrics_token.get_secret_value()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if expected and scheme.lower() == "bearer" and _same(token.strip(), expected):
        return
    require(await current_caller(request, None), Action.METRICS)


def _same(token: str, expected: str) -> bool:
    return hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode())


@router.get(
    "/metrics",
    dependencies=[Depends(check_reader)],
    response_class=Response,
    responses={200: {"description": "Prometheus's text format.", "content": {"text/plain": {}}}},
)
async def metrics(runtime: RuntimeDep) -> Response:
    """The server in figures, as Prometheus reads them; of jobs sums only.

    For an admin, or for who shows the `metrics_token` of the settings.
    """
    return Response(await runtime.scraper.text(), media_type=CONTENT_TYPE)
