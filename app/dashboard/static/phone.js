// The phone: forms that are sent without leaving the page, and looking at what has come. parley.js asks for news.
"use strict";

const SOON_MS = [150, 500, 1000];
const screenOfPhone = document.getElementById("screen");
let looked = "";

function say(problem) {
  document.getElementById("phone-problem").textContent = problem;
}

function post(form) {
  const headers = { "X-Requested-With": "parley" };
  return fetch(form.action, { method: "POST", body: new FormData(form), headers, redirect: "manual" });
}

async function refusal(answer) {
  return answer.status === 409 ? answer.text() : `The server answered ${answer.status}; load the page again.`;
}

async function refresh() {
  for (const element of document.querySelectorAll("#screen, #log")) await lookForNews(element).catch(() => undefined);
}

async function sendQuietly(form) {
  try {
    const answer = await post(form);
    if (answer.status === 401 || answer.type === "opaqueredirect") return location.reload();
    say(answer.ok ? "" : await refusal(answer));
    if (answer.ok && "clear" in form.dataset) form.reset();
  } catch {
    say("The server does not answer.");
  }
  for (const pause of SOON_MS) setTimeout(refresh, pause);
  return undefined;
}

async function look() {
  const unseen = document.getElementById("unseen")?.dataset.unseen;
  if (!unseen || unseen === looked || document.visibilityState !== "visible") return;
  looked = unseen;
  try {
    await post(document.getElementById("looking"));
  } catch {
    looked = "";
  }
}

document.addEventListener("submit", (event) => {
  if (!("quietly" in event.target.dataset)) return;
  event.preventDefault();
  sendQuietly(event.target);
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-quietly]");
  if (form && !("clear" in form.dataset)) form.requestSubmit();
});
if (window.matchMedia("(min-width: 761px)").matches) document.querySelector(".write input[name=text]").focus();
document.addEventListener("visibilitychange", look);
document.querySelector(".person[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
new MutationObserver(look).observe(screenOfPhone, { childList: true });
look();
