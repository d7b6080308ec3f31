/** A conversation as a document: roles, text as Markdown, tool calls with their results, reasoning, images, documents. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, number } from "../format";
import { Payload } from "./payload";
import { joined, type Joined, type Message, type Part } from "./messages";

const FOLDED_CHARACTERS = 1400; // of a message before it folds
const SYSTEM_CHARACTERS = 220; // system prompts are long and known
const MARKDOWN_CHARACTERS = 60_000; // beyond, text is shown as it is
const FEW_MESSAGES = 60; // shown at once; the older ones on demand

function Markdown({ text }: { text: string }) {
  const looksPlain = text.length > MARKDOWN_CHARACTERS || !/[*_`#|[\]\n>~-]/.test(text);
  if (looksPlain) return <p class="plain-text" dir="auto">{text}</p>;
  return <Rendered text={text} key={text} />;
}

/** The text as it is, until what renders Markdown has come. */
function Rendered({ text }: { text: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let gone = false;
    void import("./markdown").then((module) => gone || box.current?.replaceChildren(module.markdown(text)));
    return () => {
      gone = true;
    };
  }, [text]);
  return (
    <div class="markdown" dir="auto" ref={box}>
      <p class="plain-text">{text}</p>
    </div>
  );
}

export function Text({ text, fold = FOLDED_CHARACTERS }: { text: string; fold?: number }) {
  const [open, setOpen] = useState(false);
  const long = text.length > fold * 1.3;
  return (
    <>
      <Markdown text={long && !open ? text.slice(0, fold).replace(/\s+\S*$/, "") + " …" : text} />
      {long && (
        <button class="link" onClick={() => setOpen(!open)} aria-expanded={open}>
          {open ? "Fold" : `${count(text.length)} characters`}
        </button>
      )}
    </>
  );
}

export function Conversation({ messages }: { messages: Message[] }) {
  const all = useMemo(() => joined(messages), [messages]);
  const [whole, setWhole] = useState(false);
  const hidden = whole ? 0 : Math.max(0, all.length - FEW_MESSAGES);
  return (
    <div class="conversation">
      {hidden > 0 && (
        <button class="btn small" onClick={() => setWhole(true)}>
          {count(hidden)} earlier messages
        </button>
      )}
      {all.slice(hidden).map((message, i) => (
        <MessageBox key={hidden + i} message={message} />
      ))}
    </div>
  );
}

function MessageBox({ message }: { message: Joined }) {
  const texts = message.parts.map((part, place) => ({ part, place }));
  return (
    <>
      {texts.map(({ part, place }) => (
        <section class={`msg ${message.role}`} key={place}>
          <PartBox part={part} message={message} result={message.results.get(place)} first={place === 0} />
        </section>
      ))}
    </>
  );
}

function PartBox({ part, message, result, first }: { part: Part; message: Joined; result?: Extract<Part, { kind: "result" }>; first: boolean }) {
  const role = message.name ? `${message.role} · ${message.name}` : message.role;
  if (part.kind === "text")
    return (
      <>
        {first && <h4>{role}</h4>}
        <div class={message.role === "system" ? "muted" : ""}>
          <Text text={part.text} fold={message.role === "system" ? SYSTEM_CHARACTERS : undefined} />
        </div>
      </>
    );
  if (part.kind === "reasoning")
    return (
      <details class="reasoning" open={part.text.length < 600}>
        <summary>
          <h4>reasoning</h4>
        </summary>
        <Text text={part.text} />
      </details>
    );
  if (part.kind === "call")
    return (
      <>
        <h4>
          {role} → tool <span class={result?.failed ? "err" : "name"}>{part.name}{result?.failed ? " failed" : ""}</span>
        </h4>
        <div class={`card ${result?.failed ? "failed" : ""}`}>
          <Payload value={part.input} empty="no arguments" />
          {result && (
            <div class="card-result">
              <Payload value={result.output} empty="no result" />
            </div>
          )}
        </div>
      </>
    );
  if (part.kind === "result")
    return (
      <>
        <h4>
          tool result <span class={part.failed ? "err" : "name"}>{part.name}{part.failed ? " failed" : ""}</span>
        </h4>
        <div class={`card ${part.failed ? "failed" : ""}`}>
          <Payload value={part.output} empty="no result" />
        </div>
      </>
    );
  if (part.kind === "image")
    return (
      <>
        {first && <h4>{role}</h4>}
        {part.url ? <img class="picture" src={part.url} alt="in the message" /> : <p class="muted mono wrap">{`image: ${part.note}`}</p>}
      </>
    );
  if (part.kind === "audio")
    return (
      <>
        {first && <h4>{role}</h4>}
        {part.url ? <audio controls src={part.url} aria-label={part.note} /> : null}
        {part.note !== "audio" && <p>{part.note}</p>}
      </>
    );
  if (part.kind === "document")
    return (
      <div class="document">
        <h4>
          {part.id ?? "document"} {part.score !== null && <span class="name">{number(part.score)}</span>}
        </h4>
        <Text text={part.text} fold={400} />
      </div>
    );
  return (
    <>
      {first && <h4>{role}</h4>}
      <div class="card plain">
        <Payload value={part.value} />
      </div>
    </>
  );
}
