"""Log-in by an OpenID Connect provider: authorization code with PKCE, by authlib."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Flask, redirect, request, session, url_for
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from dashboard.access import Logins
from dashboard.login import enter, local_path, show
from dashboard.server import advice
from squall.accounts import ROLES, AccountError, account_of_subject
from squall.settings import OidcSettings, Settings

TIMEOUT_S = 10
REFUSED = "The provider did not log you in. Try again, or use a password."
NO_ROLE = "You are known to the provider, and have no role here. Ask an administrator."


def add_oidc(server: Flask, settings: Settings, writer: Engine, logins: Logins) -> None:
    """Add the routes `/login/oidc` and its answer, where the settings name a provider."""
    chosen = settings.oidc
    if not chosen.issuer:
        return
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.flask_client import OAuth
    from joserfc.errors import JoseError
    from requests import RequestException

    provider = OAuth(server).register(
        name="oidc",
        client_id=chosen.client_id,
        client_secret=chosen.client_secret.get_secret_value() if chosen.client_secret else None,
        server_metadata_url=f"{chosen.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT_S,
        },
    )

    def refuse(words: str, status: int) -> Any:
        return show(words, settings=settings, status=status)

    @server.get("/login/oidc", endpoint="oidc")
    def begin() -> Any:
        session["onward"] = local_path(request.args.get("next"))
        try:
            return provider.authorize_redirect(url_for("oidc_answer", _external=True))
        except (OAuthError, RequestException, ValueError) as error:
            logging.getLogger("dashboard").warning("OIDC: %s", error)
            return refuse("The provider does not answer. Try again later, or use a password.", 502)

    @server.get("/login/oidc/answer", endpoint="oidc_answer")
    def answer() -> Any:
        onward = local_path(session.get("onward"))
        try:
            claims = dict(provider.authorize_access_token()["userinfo"])
        except (OAuthError, JoseError, RequestException, ValueError, KeyError) as error:
            logging.getLogger("dashboard").warning("OIDC: %s", error)
            return refuse(REFUSED, 401)
        role = role_of(claims, chosen)
        if chosen.role_claim and role is None:
            return refuse(NO_ROLE, 403)
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        try:
            with writer.begin() as connection:
                known = account_of_subject(connection, f"{claims['iss']} {claims['sub']}", name, chosen.role, role)
                enter(connection, logins, known, timedelta(hours=settings.dashboard.session_h), "oidc")
        except AccountError as error:
            return refuse(f"{str(error)[:1].upper()}{str(error)[1:]}.", 403)
        except SQLAlchemyError as error:
            return refuse(advice(error), 503)
        return redirect(onward)


def role_of(claims: Mapping[str, Any], settings: OidcSettings) -> str | None:
    """The highest role that the claim of the settings names; None where it names none."""
    found = claims.get(settings.role_claim) if settings.role_claim else None
    words = found if isinstance(found, list) else [found]
    return next((role for role in reversed(ROLES) if role in words), None)
