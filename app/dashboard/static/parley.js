// What the page does by itself: it asks for news, changes only what is new, and shows times in the reader's zone.
// Every text comes escaped from our own templates.
"use strict";

const PAUSE_MS = 1500;
const LONGEST_PAUSE_MS = 15000;
const PATIENCE_MS = 10000;
const NEAR_THE_END = 40; // pixels
const tags = new WeakMap(); // polled element -> ETag of what it shows
const sources = new WeakMap(); // element -> its HTML as it came, before its times were put into words
let timer = 0;
let isLooking = false;
let failures = 0;

function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const isToday = at.toDateString() === new Date().toDateString();
    const exactly = time.dataset.shape === "seconds" ? { second: "2-digit", hourCycle: "h23" } : {};
    const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...exactly });
    const day = at.toLocaleDateString([], { day: "numeric", month: "short" });
    time.title = at.toLocaleString();
    time.textContent = isToday ? clock : time.dataset.shape === "short" ? day : `${day}, ${clock}`;
  }
}

function remember(container) {
  for (const one of container.children) {
    sources.set(one, one.outerHTML);
    if ("keyed" in one.dataset) remember(one);
  }
}

// Put the fresh children in the place of those there; what has not changed stays the very same element, and with it
// focus, selection, open details and scroll positions.
function update(container, fresh) {
  const old = new Map([...container.children].map((one) => [one.id, one]));
  const wanted = new Set([...fresh.children].map((one) => one.id));
  for (const [id, one] of old) if (!id || !wanted.has(id)) one.remove();
  let place = container.firstElementChild;
  for (const one of [...fresh.children]) {
    const shown = place;
    const source = one.outerHTML;
    const known = one.id ? old.get(one.id) : undefined;
    const kept = known ? keepOrReplace(known, one, source) : one;
    if (kept === known) {
      if (known === shown) place = shown.nextElementSibling;
      else container.insertBefore(known, shown);
      continue;
    }
    sources.set(one, source);
    if ("keyed" in one.dataset) remember(one);
    showTimes(one);
    if (known === shown && shown) place = shown.nextElementSibling;
    known?.remove();
    container.insertBefore(one, place);
  }
}

function keepOrReplace(known, fresh, source) {
  if (sources.get(known) === source) return known;
  if ("keyed" in known.dataset && "keyed" in fresh.dataset) {
    sources.set(known, source);
    update(known, fresh);
    return known;
  }
  for (const one of known.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(one.id)}`)?.setAttribute("open", "");
  }
  return fresh;
}

// What stands around the lines is told along with them. Only what differs is replaced: a selection in the rest stays.
function updateAround(fresh) {
  const told = fresh.querySelector("template");
  told?.remove();
  for (const part of [...(told?.content.children ?? [])]) {
    const shown = document.getElementById(part.id);
    if (shown && !shown.isEqualNode(part)) shown.replaceWith(part);
  }
}

// Return how to find an element again after it was replaced.
function pathTo(element) {
  const named = element?.closest("[id]");
  if (!named) return "";
  return named === element ? `#${CSS.escape(element.id)}` : `#${CSS.escape(named.id)} ${element.localName}`;
}

// Return the first thing that can be seen in a scroller, and where it is.
function firstInSight(scroller) {
  const top = scroller.getBoundingClientRect().top;
  const things = scroller.querySelectorAll(":scope > [id]:not([data-keyed]), :scope > ol[data-keyed] > [id]");
  const first = [...things].find((one) => one.getBoundingClientRect().bottom > top);
  return first && { id: first.id, at: first.getBoundingClientRect().top };
}

function replaceKeepingPlace(element, html) {
  const scroller = element.closest(".scroller") || element;
  const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_THE_END;
  const isAtTop = scroller.scrollTop < 4;
  const anchor = firstInSight(scroller);
  const focused = element.contains(document.activeElement) ? pathTo(document.activeElement) : "";
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  updateAround(fresh.content);
  update(element, fresh.content);
  if (focused && !element.contains(document.activeElement)) {
    element.querySelector(focused)?.focus({ preventScroll: true });
  }
  if (element.dataset.stick === "end" && isAtEnd) {
    scroller.scrollTop = scroller.scrollHeight;
  } else if (!isAtTop && anchor) {
    const now = document.getElementById(anchor.id)?.getBoundingClientRect().top ?? anchor.at;
    scroller.scrollTop += now - anchor.at;
  }
}

async function lookForNews(element) {
  const headers = { "X-Requested-With": "parley" };
  if (tags.has(element)) headers["If-None-Match"] = tags.get(element);
  const answer = await fetch(element.dataset.poll, {
    headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (answer.status === 401 || answer.type === "opaqueredirect") return logInAgain();
  if (answer.status === 404) return element.removeAttribute("data-poll");
  if (answer.status === 304) return undefined;
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  tags.set(element, answer.headers.get("ETag"));
  return replaceKeepingPlace(element, await answer.text());
}

// A text that is being written is not thrown away.
function logInAgain() {
  const unsent = [...document.querySelectorAll("textarea")].some((one) => one.value !== one.defaultValue);
  for (const one of document.querySelectorAll("[data-poll]")) one.removeAttribute("data-poll");
  if (unsent) document.body.classList.add("logged-out");
  else location.reload();
}

async function keepUpToDate() {
  clearTimeout(timer);
  if (isLooking || document.visibilityState !== "visible") return; // becoming visible calls again
  const polled = [...document.querySelectorAll("[data-poll]")];
  if (!polled.length) return;
  isLooking = true;
  const started = performance.now();
  try {
    for (const element of polled) await lookForNews(element);
    failures = 0;
  } catch {
    failures += 1; // the server is away; a later look may find it
  }
  isLooking = false;
  document.body.classList.toggle("stale", failures > 1);
  // A slow server is not asked more often than it can answer.
  const pause = Math.max(PAUSE_MS * 2 ** Math.min(failures, 4), 5 * (performance.now() - started));
  timer = setTimeout(keepUpToDate, Math.min(pause, LONGEST_PAUSE_MS));
}

function moveThroughList(step) {
  const links = [...document.querySelectorAll(".conversations a")];
  if (!links.length) return;
  const focused = links.indexOf(document.activeElement);
  const here = focused >= 0 ? focused : links.findIndex((link) => link.hasAttribute("aria-current"));
  const next = here < 0 ? 0 : here + step;
  links[Math.min(Math.max(next, 0), links.length - 1)].focus();
}

function onKey(event) {
  const typing = event.target.matches?.("textarea, select, input:not([type=radio], [type=checkbox])");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    return event.target.form.requestSubmit();
  }
  if (event.key === "Escape" && typing) return event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.key === "j") return moveThroughList(1);
  if (event.key === "k") return moveThroughList(-1);
  const target = { "/": "input[type=search]", r: ".compose textarea" }[event.key];
  if (!target || !document.querySelector(target)) return undefined;
  event.preventDefault();
  return document.querySelector(target).focus();
}

document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", keepUpToDate);
window.addEventListener("online", keepUpToDate);
document.addEventListener("change", (event) => {
  if (event.target.form?.id === "filters" && event.target.type === "radio") event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});
for (const element of document.querySelectorAll("[data-poll]")) remember(element);
showTimes(document);
setInterval(() => showTimes(document), 60000); // "today" ends at midnight
for (const one of document.querySelectorAll(".conversations [aria-current]")) one.scrollIntoView({ block: "nearest" });
if (!location.hash) {
  for (const end of document.querySelectorAll("[data-stick=end]")) end.scrollTop = end.scrollHeight;
}
timer = setTimeout(keepUpToDate, PAUSE_MS);
