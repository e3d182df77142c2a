"""One self-contained HTML page: style, charts and pictures are inside, nothing is loaded from anywhere."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

from trainer.report.film import Film

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #22272e; background: #f4f6f8;
       margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 8px; }
.sub { color: #667080; margin: 0 0 16px; } .big { font-size: 30px; font-weight: 650; }
.charts { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
.charts > *, figure { background: #fff; border: 1px solid #dfe3e8; border-radius: 6px; margin: 0; }
svg { max-width: 100%; height: auto; display: block; }
figure { padding: 10px; } figure img { max-width: 100%; display: block; } figcaption { color: #4a525c; margin: 6px 0; }
table { border-collapse: collapse; background: #fff; } td, th { padding: 5px 12px; border: 1px solid #dfe3e8;
       text-align: right; font-variant-numeric: tabular-nums; } td:first-child, th:first-child { text-align: left; }
th { background: #eef1f4; } .wide { overflow-x: auto; }
pre { background: #fff; border: 1px solid #dfe3e8; border-radius: 6px; padding: 12px; overflow-x: auto;
      font-size: 12.5px; }
.note { background: #fff7e0; border: 1px solid #ead9a0; border-radius: 6px; padding: 8px 12px; }
@media (prefers-reduced-motion: reduce) { .moving { display: none; } }
"""


def page(title: str, subtitle: str, sections: Sequence[str]) -> str:
    """The document."""
    written = datetime.now().astimezone().isoformat(timespec="seconds")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p class='sub'>{escape(subtitle)}<br>written {escape(written)}</p>"
        f"{''.join(sections)}</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading with what is below it."""
    return f"<h2>{escape(title)}</h2>{''.join(parts)}"


def charts(*parts: str) -> str:
    """Charts side by side."""
    return f"<div class='charts'>{''.join(part for part in parts if part)}</div>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def note(words: str) -> str:
    """A line that stands out."""
    return f"<p class='note'>{escape(words)}</p>"


def data(value: Any) -> str:
    """Settings as indented JSON."""
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def film(item: Film | str) -> str:
    """A film with its strip of pictures, or why there is none."""
    if isinstance(item, str):
        return note(item)
    moving, still = (base64.b64encode(picture).decode() for picture in (item.animation, item.strip))
    words = escape(item.caption)
    return (
        f"<figure><figcaption>{words} (three times as fast as it was)</figcaption>"
        f"<img class='moving' alt='film of {words}' src='data:image/webp;base64,{moving}'>"
        f"<img alt='instants of {words}' src='data:image/webp;base64,{still}'></figure>"
    )


def code_words(code: dict[str, Any]) -> str:
    """Which code ran, in words."""
    commit = f", commit {code['commit'][:10]}" if code.get("commit") else ""
    return f"refine-dp {code.get('package', 'unknown')}{commit}{' with changes' if code.get('dirty') else ''}"
