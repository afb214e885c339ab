"""Tells somebody what a periodic job found: the log, a webhook, a mail. What fails to be told is said in the log."""

from __future__ import annotations

import logging
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

import httpx

from rag.errors import ConfigError
from rag.sections import Notify
from rag.settings import redact_url, secret

log = logging.getLogger("plumbline")

Level = Literal["ok", "open", "alarm"]
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a job found: 'alarm' where a gate failed, drift was seen or a command broke, 'open' where it can't tell."""

    job: str
    level: Level
    title: str
    text: str


def tell(news: News, rules: Notify) -> list[str]:
    """Send it where the settings say, if it is news; returns what could not be told, in words."""
    if news.level == "ok" and not rules.always:
        return []
    problems = []
    if rules.webhook_env:
        problems += _posted(news, rules)
    if rules.mail_to:
        problems += _mailed(news, rules)
    for problem in problems:
        log.error("%s", problem)
    return problems


def check(rules: Notify) -> None:
    """Raise ConfigError where somebody is to be told by an address that is not there."""
    if rules.webhook_env and not secret(rules.webhook_env):
        raise ConfigError(
            f"the variable {rules.webhook_env} is not set",
            expected="the address of notify.webhook_env",
            remedy="set it",
        )


def _posted(news: News, rules: Notify) -> list[str]:
    """As JSON with a `text`, which chat services show, and the parts of it for programs."""
    address = secret(rules.webhook_env)
    if not address:
        return [f"nobody was told of {news.job}: the variable {rules.webhook_env} is not set"]
    body = {"text": f"{news.title}\n{news.text}", "job": news.job, "level": news.level, "title": news.title}
    try:
        reply = httpx.post(address, json=body, timeout=TIMEOUT_S, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [f"the webhook could not be told of {news.job}: {type(error).__name__}"]
    return [] if reply.is_success else [f"the webhook answered {reply.status_code} to {news.job}"]


def _mailed(news: News, rules: Notify) -> list[str]:
    message = EmailMessage()
    message["Subject"] = " ".join(f"[plumbline] {news.title}".split())
    message["From"] = rules.mail_from
    message["To"] = ", ".join(rules.mail_to)
    message.set_content(news.text)
    try:
        with smtplib.SMTP(rules.smtp_host, rules.smtp_port, timeout=TIMEOUT_S) as server:
            if rules.smtp_tls:
                server.starttls()
            if user := secret(rules.smtp_user_env):
                server.login(user, secret(rules.smtp_password_env))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        return [f"{redact_url(rules.smtp_host)} took no mail about {news.job}: {type(error).__name__}"]
    return []
