"""The page's key: kept by the browser in a cookie that no script can read."""

from fastapi import APIRouter, Request, Response

from aqc_service.api.auth import COOKIE, find_key

router = APIRouter(prefix="/ui/session", include_in_schema=False)

_SECONDS = 30 * 86400


@router.post("", status_code=204)
async def sign_in(request: Request) -> Response:
    """Take the key of the header Authorization for the page's own requests."""
    await find_key(request)
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        request.headers.get("Authorization", "").partition(" ")[2].strip(),
        max_age=_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete("", status_code=204)
async def sign_out() -> Response:
    """Forget the key."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
