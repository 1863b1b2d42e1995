"""Commit statuses on GitHub and GitLab: the request for each, from a verdict. Pure.

Forms: the REST interfaces' `POST /repos/{owner}/{repo}/statuses/{sha}` and
`POST /projects/{id}/statuses/{sha}`.
"""

from urllib.parse import quote

from hologram_dagster.evidence.verdict import Verdict, Word
from hologram_dagster.notify.message import headline
from hologram_dagster.notify.sending import Request
from hologram_dagster.reports.reading import text_of

_GITHUB = {Word.PASS: "success", Word.FAIL: "failure", Word.INCONCLUSIVE: "error"}
_GITLAB = {Word.PASS: "success", Word.FAIL: "failed", Word.INCONCLUSIVE: "failed"}
_LONGEST = 140


def github_status(verdict: Verdict, *, api: str, repository: str, token: str, link: str) -> Request:
    """The status of the verdict's commit in `repository` (`owner/name`); `link` may be empty."""
    body = {
        "state": _GITHUB[verdict.verdict],
        "description": _description(verdict),
        "context": _context(verdict),
        **({"target_url": link} if link else {}),
    }
    return Request(
        channel="github_status",
        url=f"{api.rstrip('/')}/repos/{quote(repository)}/statuses/{verdict.revision.commit}",
        body=body,
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        remedy="check GITHUB_TOKEN (permission statuses: write), GITHUB_REPOSITORY and GITHUB_API_URL",
    )


def gitlab_status(verdict: Verdict, *, api: str, project: str, token: str, link: str) -> Request:
    """The status of the verdict's commit in the project with that id; `link` may be empty."""
    body = {
        "state": _GITLAB[verdict.verdict],
        "description": _description(verdict),
        "name": _context(verdict),
        **({"target_url": link} if link else {}),
    }
    return Request(
        channel="gitlab_status",
        url=f"{api.rstrip('/')}/projects/{quote(project, safe='')}/statuses/{verdict.revision.commit}",
        body=body,
        headers={"PRIVATE-TOKEN": token},
        remedy="check GITLAB_TOKEN (scope api), CI_PROJECT_ID and CI_API_V4_URL",
    )


def _context(verdict: Verdict) -> str:
    return f"hologram/{verdict.profile}"


def _description(verdict: Verdict) -> str:
    return text_of(headline(verdict), longest=_LONGEST)
