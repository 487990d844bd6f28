"""The daemon's HTTP edge: the same commands as the command line, one POST each; translates, decides nothing."""

import logging
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse

from agent.errors import AgentError, ConfigError
from agent.service import COMMANDS, Service
from kb import KBError, StoreBusy

logger = logging.getLogger(__name__)


def create_api(service: Service, *, token: str, is_draining: Callable[[], bool]) -> FastAPI:
    """Build the application; every request but `/healthz` must carry the token."""
    api = FastAPI(title="Tidings", docs_url=None, redoc_url=None)

    @api.middleware("http")
    async def authorised(request: Request, call_next: Callable[[Request], Any]) -> Any:
        given = request.headers.get("authorization", "")
        if request.url.path == "/healthz" or secrets.compare_digest(
            given.encode(), f"Bearer {token}".encode()
        ):
            return await call_next(request)
        return JSONResponse({"error": "no or wrong token", "exit_code": 1}, status_code=401)

    @api.get("/healthz")
    def healthz() -> JSONResponse:
        if is_draining():
            return JSONResponse({"status": "draining"}, status_code=503)
        return JSONResponse({"status": "ok"})

    @api.post("/v1/{command}")
    def run_command(command: str, arguments: dict[str, Any] = Body(default={})) -> JSONResponse:
        if command not in COMMANDS:
            return JSONResponse({"error": f"no command {command!r}", "exit_code": 2}, 404)
        try:
            return JSONResponse({"result": service.call(command, arguments)})
        except (ConfigError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error), "exit_code": 2}, 400)
        except StoreBusy as error:
            return JSONResponse({"error": str(error), "exit_code": 4}, 503)
        except (AgentError, KBError) as error:
            return JSONResponse({"error": str(error), "exit_code": 1}, 500)
        except Exception:  # the request edge: a fault in one request never kills the daemon
            logger.exception("request failed", extra={"command": command})
            return JSONResponse(
                {"error": "internal error, see the daemon's log", "exit_code": 1}, 500
            )

    return api
