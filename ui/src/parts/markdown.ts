/** Text as HTML of Markdown alone: tags in the text are text, links open elsewhere and tell nobody from where. Loaded when a text needs it. */
import DOMPurify from "dompurify";
import { marked } from "marked";

marked.setOptions({ gfm: true, breaks: true });

const CLEAN = {
  ALLOWED_TAGS: ["p", "br", "strong", "em", "del", "code", "pre", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "a"],
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^https?:/i,
};

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export function markdown(text: string): DocumentFragment {
  const html = marked.parse(escaped(text), { async: false });
  const clean = DOMPurify.sanitize(html, { ...CLEAN, RETURN_DOM_FRAGMENT: true });
  for (const anchor of clean.querySelectorAll("a")) {
    anchor.target = "_blank";
    anchor.rel = "noreferrer noopener nofollow";
    anchor.title = anchor.href;
  }
  return clean;
}
